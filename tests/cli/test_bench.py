"""`fourcc bench`."""

import pytest

from fourcc.bench.peers import ggml_library, peer
from tests.cli.making import Runner

TINY = ("--quick", "--shape", "64x256", "--n", "1,64", "--threads", "1")


def test_tables(run: Runner) -> None:
    """The output has facts, limits, a row for each product, and a row for coding."""
    ended = run("bench", *TINY, "--format", "Q8_0,F32", "--quiet")
    assert (ended.code, ended.err) == (0, "")
    facts, limits, products, coding = ended.out.split("\n\n")
    assert [line.split("  ")[0] for line in facts.splitlines()] == [
        *("machine", "cores", "versions", "SIMD target", "method"),
    ]
    assert "numba 0." in facts
    head, row = limits.splitlines()
    assert head.split()[:3] == ["threads", "reading", "GB/s"]
    assert len(row.split()) == (9 if "bfloat16" in head else 7)
    title, head, *rows = products.splitlines()
    assert title == "products of 64 x 256, with n activations"
    assert [row.split()[:3] for row in rows] == [
        *(["Q8_0", "1", "1"], ["Q8_0", "64", "1"], ["F32", "1", "1"], ["F32", "64", "1"]),
    ]
    assert rows[0].split()[-3] == "-"  # one activation: no share of what the machine calculates
    assert rows[0].count("%") == rows[1].count("%") == 2
    assert rows[2].split()[-2] == "-"  # floats are taken as they come
    assert coding.splitlines()[1].split()[:5] == ["Q8_0", "64", "x", "256", "1"]


def test_json(run: Runner) -> None:
    """The object has the schema's keys."""
    document = run("bench", *TINY, "--format", "Q8_0", "--json").document
    assert document["schema"] == "fourcc.bench/1"
    assert set(document) == {
        *("schema", "machine", "versions", "target", "rotation_bytes", "rounds", "limits", "products", "codecs"),
        *("peer_products", "peer_codecs", "missing_peers", "notes", "targets"),
    }
    assert set(document["machine"]) == {"cpu", "architecture", "cores", "usable", "system"}
    (limit,) = document["limits"]
    assert set(limit) == {"threads", "read_gb_s", "int8_gops", "float32_gflops", "bfloat16_gflops"}
    one, many = document["products"]
    assert (one["format"], one["rows"], one["cols"], one["n"], one["threads"]) == ("Q8_0", 64, 256, 1, 1)
    assert (one["level"], one["bytes"], one["peak"], many["call_us"]) == ("native", 64 * 8 * 34, "int8", None)
    for pair in ("us", "prepare_us", "call_us", "gb_s", "share_of_read", "gops", "share_of_peak"):
        assert set(one[pair]) == {"best", "median"}
    assert one["gb_s"]["best"] == pytest.approx(one["bytes"] / one["us"]["best"] / 1000, rel=0.01)
    assert many["gops"]["best"] == pytest.approx(2 * 64 * 256 * 64 / many["us"]["best"] / 1000, rel=0.01)
    share = one["gb_s"]["best"] / limit["read_gb_s"]["best"]
    assert one["share_of_read"]["best"] == pytest.approx(share, rel=0.01)


def test_a_format_without_a_kernel_is_decoded_first(run: Runner) -> None:
    """Its products have the level decode, and its coding no rate."""
    document = run("bench", *TINY, "--format", "F64", "--json").document
    assert {each["level"] for each in document["products"]} == {"decode"}
    assert [(each["decode_gb_s"], each["encode_gb_s"]) for each in document["codecs"]] == [(None, None)]


def test_a_shape_that_does_not_fit_is_a_note(run: Runner) -> None:
    """The other formats are measured."""
    ended = run("bench", "--quick", "--shape", "16x40", "--n", "1", "--threads", "1", "--format", "Q4_0,F32")
    assert ended.code == 0
    assert "fourcc: note: Q4_0 does not fit 16 x 40: " in ended.err
    assert "\nF32 " in ended.out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("--format", "Zzzz"), 5, "no installed package provides the format Zzzz"),
        (("--shape", "4096by4096"), 2, "bad shape: found '4096by4096', expected rows x columns, as 4096x11008"),
        (("--threads", "none"), 2, "bad number of threads: found none, expected 1 to 1024"),
        (("--n", "1000"), 2, "bad number of activations: found 1000, expected 1 to 512"),
        (("--simd", "mmx"), 2, "unknown SIMD target: found mmx, expected of "),
    ],
)
def test_wrong_arguments(run: Runner, arguments: tuple[str, ...], code: int, message: str) -> None:
    """One line, and nothing is measured."""
    ended = run("bench", "--quick", *arguments)
    assert (ended.code, ended.out) == (code, "")
    assert message in ended.err


def test_missing_peers_are_named(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each missing peer has a line."""
    for module in (peer, ggml_library):
        monkeypatch.setattr(module, "find_spec", lambda _: None)
    ended = run("bench", *TINY, "--format", "Q8_0", "--peers", "--quiet")
    assert ended.code == 0
    assert ended.out.splitlines()[-5:] == [
        "ggml: llama-cpp-python not installed",
        "gguf: gguf not installed",
        "numpy: threadpoolctl not installed",
        "torch: torch not installed",
        "onnxruntime: onnxruntime and onnx not installed",
    ]


def test_a_peer_beside_us(run: Runner) -> None:
    """Gguf comes with the tests: its coding has ratios to ours."""
    document = run("bench", *TINY, "--format", "Q8_0", "--peers", "--json").document
    gguf = next(each for each in document["peer_codecs"] if each["peer"] == "gguf")
    assert (gguf["kind"], gguf["like"], gguf["threads"]) == ("q8_0", "Q8_0", 1)
    assert gguf["encode_gb_s"]["best"] > 0
    assert "gguf" in document["versions"]


@pytest.mark.thorough  # all of its kernels are compiled anew
def test_another_target(run: Runner) -> None:
    """The benchmark runs again in a process of its own, and is shown beside the first."""
    document = run("bench", *TINY, "--n", "1", "--format", "F32", "--simd", "portable", "--json").document
    other = document["targets"]["portable"]
    assert other["target"] == "portable"
    assert [(each["format"], each["n"]) for each in other["products"]] == [("F32", 1)]


def test_uncompiled_kernels_are_not_measured(process: Runner) -> None:
    """They run in Python, for other ends."""
    ended = process("bench", "--quick", env={"NUMBA_DISABLE_JIT": "1"})
    assert ended.code == 2
    assert "only compiled kernels can be measured. Unset NUMBA_DISABLE_JIT." in ended.err
