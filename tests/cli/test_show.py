"""`fourcc inspect`."""

import json
import re
import resource
import subprocess
import sys
from pathlib import Path

import attrs
import numpy as np
import pytest

import fourcc
from fourcc.container.index import Index
from fourcc.container.reader import ModelFile
from tests.cli.making import ODD, Runner, rewrite_index, write_safetensors
from tests.sources.writers import gguf

WHAT_IS_LOADED = """
import sys
from fourcc.cli.app import main
code = main(["inspect", sys.argv[1]])
loaded = {"numpy", "numba", "rich", "pydantic"} & set(sys.modules)
print(code, sorted(loaded), file=sys.stderr)
"""


def table(text: str) -> list[list[str]]:
    """Cells of the listing's rows; columns are two spaces apart."""
    return [re.split(r" {2,}", line.strip()) for line in text.split("\n\n")[1].splitlines()[1:]]


def test_header_of_a_model(run: Runner, model: Path) -> None:
    """Id, version, architecture, hyper-parameters, source, provider, blobs, total."""
    ended = run("inspect", model)
    assert (ended.code, ended.err) == (0, "")
    with ModelFile(model) as opened:
        digest = opened.digest.hex()
    pairs = [re.split(r" {2,}", line, maxsplit=1) for line in ended.out.split("\n\n")[0].splitlines()]
    facts = dict(reversed(pairs))  # of the two sources the first
    assert facts["file"].startswith(f"{model}: model.bin 1.0, {model.stat().st_size} bytes")
    assert facts["id"] == digest
    assert facts["architecture"] == "llama"
    assert "dim=96" in facts["hyper-parameters"].split()
    assert facts["source"].startswith("llama2.c v0, 1420700 bytes (1.4 MB), XXH3-128 ")
    assert facts["formats by"] == f"fourcc {fourcc.__version__}"
    assert "policy.toml" in facts["blobs"]
    assert facts["total"].startswith("38 tensors, 351072 weights, 10 bits per weight, 438912 bytes")


def test_rows_of_a_model(run: Runner, model: Path) -> None:
    """A row has name, shape, tag, bits per weight, bytes, measured error and rule."""
    rows = table(run("inspect", model).out)
    assert len(rows) == 38
    with ModelFile(model) as opened:
        error = opened.record("tok_embeddings").error
    assert error is not None
    rmse, sqnr = error.relative_rmse, error.sqnr_db
    assert rmse is not None
    assert sqnr is not None
    assert rows[0] == ["tok_embeddings", "384 x 96", "Q8_0", "8.5", "39168", f"{rmse:.3g}", f"{sqnr:.1f}", "2"]
    assert rows[1] == ["layers.0.attention_norm", "96", "F32", "32", "384", "-", "-", "1"]


def test_json(run: Runner, model: Path) -> None:
    """The object has everything that the index has."""
    document = run("inspect", model, "--json").document
    assert document["schema"] == "fourcc.inspect/1"
    with ModelFile(model) as opened:
        index = opened.index
    assert [each["name"] for each in document["tensors"]] == [tensor.name for tensor in index.tensors]
    assert document["hyper"] == dict(index.hyper)
    assert document["total"]["bytes"] == index.nbytes
    first, record = document["tensors"][0], index.tensors[0]
    assert first["parts"][0]["offset"] == record.parts[0].offset
    assert first["error"] == record.error._asdict() if record.error else None
    assert (first["provider"], first["rule"]) == (f"fourcc {fourcc.__version__}", 2)


def test_another_checkpoint(run: Runner, tiny: Path) -> None:
    """Whatever can be converted can be listed."""
    ended = run("inspect", tiny)
    assert ended.out.startswith(f"file              {tiny}: llama2.c v0\n")
    assert table(ended.out)[0] == ["tok_embeddings", "384 x 96", "F32", "32", "147456"]
    document = run("inspect", tiny, "--json").document
    assert (document["schema"], document["kind"]) == ("fourcc.inspect/1", "llama2.c v0")
    assert document["total"] == {"tensors": 38, "weights": 351072, "bits_per_weight": 32.0, "bytes": 1404288}


def test_an_unknown_format_is_listed(run: Runner, unknown: Path) -> None:
    """The package to install is named."""
    ended = run("inspect", unknown)
    assert ended.code == 0
    assert next(row for row in table(ended.out) if row[0] == ODD)[1:5] == ["96 x 96", "Nope", "8.5", "9792"]
    assert ended.out.endswith(
        "\n1 tensor in the format Nope, which is not installed. It was made with far-away 1.2: install that package.\n"
    )
    document = run("inspect", unknown, "--json").document
    assert document["missing"] == [{"tag": "Nope", "hint": "It was made with far-away 1.2: install that package."}]


def test_one_tensor(run: Runner, model: Path) -> None:
    """All that is known of it, and what its weights and codes are like."""
    ended = run("inspect", model, "--tensor", "layers.1.attention.wk")
    assert ended.code == 0
    facts = dict(re.split(r" {2,}", line, maxsplit=1) for line in ended.out.split("\n\n")[0].splitlines())
    assert facts["shape"] == "48 x 96"
    assert facts["roles"] == "attention.k"
    assert facts["layer"] == "1"
    assert facts["tag"].startswith("Q8_0 (")
    assert facts["bits per weight"] == "8.5 (nominal 8.5)"
    assert facts["rule"] == "rule[2]"
    with fourcc.open(model) as opened:
        weights = opened["layers.1.attention.wk"].decode()
        part = opened.record("layers.1.attention.wk").parts[0]
    assert re.search(rf"^{part.name} .* {part.offset} +{part.nbytes}$", ended.out, re.MULTILINE)
    assert f"min {weights.min():.6g}, max {weights.max():.6g}" in ended.out
    assert "histogram of the codes" in ended.out


def test_one_tensor_as_json(run: Runner, model: Path) -> None:
    """Statistics are those of the decoded weights; the histogram counts every code."""
    document = run("inspect", model, "--tensor", "layers.1.attention.wk", "--json").document
    assert document["schema"] == "fourcc.inspect-tensor/1"
    with fourcc.open(model) as opened:
        weights = opened["layers.1.attention.wk"].decode().astype(np.float64)
    found = document["statistics"]
    assert found["mean"] == pytest.approx(weights.mean())
    assert found["std"] == pytest.approx(weights.std())
    assert found["rms_of_columns"]["max"] == pytest.approx(np.sqrt((weights**2).mean(axis=0)).max())
    centred = weights - weights.mean()
    assert found["kurtosis"] == pytest.approx((centred**4).mean() / weights.std() ** 4)
    text = run("inspect", model, "--tensor", "layers.1.attention.wk").out
    assert f"kurtosis {found['kurtosis']:.3g}, {100 * found['outliers']:.2g} % beyond 4 std" in text
    assert f"RMS of rows {found['rms_of_rows']['min']:.3g} to " in text
    assert (found["min"], found["max"]) == (weights.min(), weights.max())
    assert found["histogram_of"] == "codes"
    assert sum(count for _, _, count in found["histogram"]) == weights.size
    assert all(low == high and -128 <= low <= 127 for low, high, _ in found["histogram"])


def test_a_format_without_codes_has_a_histogram_of_weights(run: Runner, tiny: Path) -> None:
    """It has 32 bars from the least to the greatest weight."""
    found = run("inspect", tiny, "--tensor", "norm", "--json").document["statistics"]
    assert found["histogram_of"] == "weights"
    assert len(found["histogram"]) == 32
    assert sum(count for _, _, count in found["histogram"]) == 96
    assert (found["histogram"][0][0], found["histogram"][-1][1]) == (found["min"], found["max"])


def test_weights_that_are_not_finite(run: Runner, tmp_path: Path) -> None:
    """They are counted, and left out of the rest; JSON stays valid."""
    weights = np.array([[1, np.nan, 3, -np.inf]], np.float32)
    source = write_safetensors(tmp_path / "x.safetensors", {"w": weights, "nan": weights[:, 1:2].copy()})
    found = run("inspect", source, "--tensor", "w", "--json").document["statistics"]
    assert (found["weights"], found["nonfinite"], found["min"], found["max"], found["mean"]) == (4, 2, 1, 3, 2)
    assert "weights 4, 2 of them not finite" in run("inspect", source, "--tensor", "w").out
    assert run("inspect", source, "--tensor", "nan", "--json").document["statistics"]["mean"] is None


def test_one_tensor_in_an_unknown_format(run: Runner, unknown: Path) -> None:
    """All that needs no decoding, and what to install."""
    ended = run("inspect", unknown, "--tensor", ODD)
    assert ended.code == 0
    assert re.search(r"^tag +Nope$", ended.out, re.MULTILINE)
    hint = "It was made with far-away 1.2: install that package."
    assert ended.out.endswith(f"not decoded: no installed package provides the format Nope. {hint}\n")
    document = run("inspect", unknown, "--tensor", ODD, "--json").document
    assert (document["statistics"], document["tensor"]["tag"]) == (None, "Nope")


def test_another_encoder_version_is_noted(run: Runner, model: Path, tmp_path: Path) -> None:
    """The file was encoded by a version whose bytes may differ."""

    def edit(index: Index) -> Index:
        return attrs.evolve(index, tensors=tuple(t._replace(encoder_version=77) for t in index.tensors))

    rewrite_index(model, tmp_path / "old.bin", edit)
    ended = run("inspect", tmp_path / "old.bin", "--tensor", ODD)
    assert re.search(r"^encoder version +77 \(installed: \d+, which may encode otherwise\)$", ended.out, re.MULTILINE)


def test_the_nearest_names_are_offered(run: Runner, model: Path) -> None:
    """The exit code is 2."""
    ended = run("inspect", model, "--tensor", "layers.0.attention.wqq")
    assert ended.code == 2
    assert f"{model}: no tensor is named 'layers.0.attention.wqq'. Did you mean 'layers.0.attention.wq'" in ended.err
    assert "`fourcc inspect` lists the names." in run("inspect", model, "--tensor", "?").err


def test_a_damaged_index(run: Runner, model: Path, tmp_path: Path) -> None:
    """The exit code is 3."""
    path = tmp_path / "cut.bin"
    path.write_bytes(model.read_bytes()[:-100])
    ended = run("inspect", path)
    assert (ended.code, ended.out) == (3, "")
    assert "the file is cut" in ended.err


def test_damage_in_the_tensor(run: Runner, model: Path, tmp_path: Path) -> None:
    """The listing needs no payload; the tensor in depth does: exit code 3."""
    with ModelFile(model) as opened:
        offset = opened.record(ODD).parts[0].offset
    path = tmp_path / "bad.bin"
    path.write_bytes(model.read_bytes()[:offset] + b"\xff\xff\xff" + model.read_bytes()[offset + 3 :])
    assert run("inspect", path).code == 0
    ended = run("inspect", path, "--tensor", ODD, "--json")
    assert ended.code == 3
    error = ended.document["error"]
    assert (error["kind"], error["tensor"], error["offset"]) == ("ChecksumError", ODD, offset)


@pytest.fixture(scope="module")
def thousand(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of 1000 tensors."""
    folder = tmp_path_factory.mktemp("thousand")
    tensors = {f"model.layers.{n}.weight": np.full((2, 32), n, np.float32) for n in range(1000)}
    source = write_safetensors(folder / "x.safetensors", tensors)
    fourcc.convert(source, folder / "model.bin", policy=fourcc.Policy.shorthand("Q8_0"))
    return folder / "model.bin"


def test_listing_loads_neither_numpy_nor_rich(thousand: Path) -> None:
    """Only the index is read."""
    run = subprocess.run(
        [sys.executable, "-c", WHAT_IS_LOADED, str(thousand)], capture_output=True, text=True, check=True
    )
    assert run.stderr == "0 []\n"
    assert run.stdout.count("layers.") == 1000


def processor_seconds(*command: str) -> float:
    """Least processor time of a few runs."""

    def once() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *command], check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    return min(once() for _ in range(7))


def test_listing_is_quick(model: Path) -> None:
    """Little more than what its libraries take to be imported; the bound is generous for busy machines."""
    libraries = processor_seconds("-c", "import typer, msgpack, attrs")
    listing = processor_seconds("-m", "fourcc", "inspect", str(model))
    print(json.dumps({"libraries": libraries, "inspect": listing, "ratio": listing / libraries}))  # noqa: T201 - for -s
    assert listing < 2 * libraries


def test_weights_whose_squares_overflow(run: Runner, tmp_path: Path) -> None:
    """float64 has no number for their deviation: said, not crashed."""
    np.savez(tmp_path / "huge.npz", x=np.array([[1e300, -1e300]]), b=np.array([[True, False]]))
    told = run("inspect", tmp_path / "huge.npz", "--tensor", "x")
    assert told.code == 0
    assert "std beyond float64" in told.out
    assert run("inspect", tmp_path / "huge.npz", "--tensor", "x", "--json").code == 0
    assert run("inspect", tmp_path / "huge.npz", "--tensor", "b").code == 0


def test_layouts_that_no_format_has(run: Runner, tmp_path: Path) -> None:
    """Such tensors are listed under the name that others give their layout; asked for by name, they are refused."""
    data = gguf([], [("a", (2,), 0, bytes(8)), ("b", (2, 64), 31, bytes(72))])
    path = tmp_path / "m.gguf"
    path.write_bytes(data)
    ended = run("inspect", path)
    assert ended.code == 0
    assert table(ended.out) == [
        ["a", "2", "F32", "32", "8"],
        ["b", "2 x 64", "(Q4_0_4_4 (ggml type 31))", "4.5", "72"],
    ]
    assert "note: 1 of 2 tensors can only be listed: no format here has Q4_0_4_4 (ggml type 31)" in ended.err
    document = run("inspect", path, "--json").document
    assert document["total"]["tensors"] == 2
    assert document["unreadable"] == [
        {
            "name": "b",
            "source_name": "b",
            "shape": [2, 64],
            "layout": "Q4_0_4_4 (ggml type 31)",
            "weights": 128,
            "bytes": 72,
        }
    ]
    for arguments in (
        ("inspect", path, "--tensor", "b"),
        ("extract", path, "b", "-o", tmp_path / "x"),
        ("diff", path, path),
    ):
        ended = run(*arguments)
        assert ended.code == 3
        assert "1 of 2 tensors are in layouts that no installed format has (Q4_0_4_4 (ggml type 31)): 'b'" in ended.err
    assert run("extract", path, "a", "-o", tmp_path / "x").code == 0
