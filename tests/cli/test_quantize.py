"""`fourcc quantize`."""

from pathlib import Path

import pytest
from gguf import GGUFReader

import fourcc
from fourcc.sources import open_source
from tests.cli.making import Runner
from tests.sources.writers import config, llama, safetensors, to_hf, written


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small Llama in a folder of Hugging Face's."""
    path = tmp_path / "model"
    path.mkdir()
    h, tensors = llama(dim=64, hidden=96, heads=4, kv_heads=2, vocab=48, seq=64)
    written(path, "config.json", config(h, tied=True, head_dim=16))
    written(path, "model.safetensors", safetensors(to_hf(h, tensors)))
    return path


@pytest.fixture
def text(root: Path, tmp_path: Path) -> Path:
    """Some stories."""
    path = tmp_path / "text.txt"
    path.write_text((root / "fourcc" / "example" / "heldout.txt").read_text()[:6000])
    return path


def rows(out: str) -> dict[str, str]:
    """The summary's lines."""
    return dict(line.split(maxsplit=1) for line in out.splitlines() if " " in line)


def test_the_suffix_picks_the_container(run: Runner, folder: Path, tmp_path: Path) -> None:
    """One source, one rule, three containers with the same weights."""
    outputs = {"x.gguf": "gguf", "x.bin": "model.bin", "x/": "compressed-tensors", "y": "compressed-tensors"}
    weights = {}
    for name, container in outputs.items():
        ended = run("quantize", folder, "-o", f"{tmp_path}/{name}", "--format", "Q8_0")
        assert ended.code == 0, ended.err
        assert rows(ended.out)["output"] == f"{tmp_path}/{name}: {container}"
        assert max(map(len, ended.out.splitlines())) <= 80 + len(str(tmp_path))
        with open_source(tmp_path / name) as source:
            weights[name] = source["layers.1.feed_forward.w2"].decode()
    assert all((each == weights["x.gguf"]).all() for each in weights.values())
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["model", "x", "x.bin", "x.gguf", "y"]


def test_one_pass_gives_the_bytes_of_two(run: Runner, folder: Path, tmp_path: Path) -> None:
    """`convert` and then `export` write the same file."""
    assert run("quantize", folder, "-o", tmp_path / "a.gguf", "--recipe", "Q4_K_M").code == 0
    assert run("convert", folder, "-o", tmp_path / "m.bin", "--recipe", "Q4_K_M").code == 0
    assert run("export", tmp_path / "m.bin", "-o", tmp_path / "b.gguf").code == 0
    one, other = (GGUFReader(tmp_path / name) for name in ("a.gguf", "b.gguf"))
    assert one.fields["general.file_type"].contents() == 15  # as it was asked for, though no row holds a k-quant
    assert all((a.data == b.data).all() for a, b in zip(one.tensors, other.tensors, strict=True))
    assert run("quantize", folder, "-o", tmp_path / "q.bin", "--recipe", "Q4_K_M").code == 0
    assert (tmp_path / "q.bin").read_bytes() == (tmp_path / "m.bin").read_bytes()


def test_document(run: Runner, folder: Path, tmp_path: Path) -> None:
    """The summary as one object; quiet is quiet."""
    arguments = ("--format", "Q4_Z:group=32", "--to", "awq", "--max-shard-size", "20kB", "--json", "-q")
    ended = run("quantize", folder, "-o", tmp_path / "x", *arguments)
    assert (ended.code, ended.err) == (0, "")
    found = ended.document
    assert (found["container"], found["formats"]) == ("awq", {"F32": 6, "Q4_Z": 14})
    assert found["file_bytes"] == sum(path.stat().st_size for path in (tmp_path / "x").glob("*.safetensors"))
    assert (found["kld"], found["candidates"]) == (None, [])
    assert found["notes"] == [
        "model.embed_tokens.weight stays in F32 as stored: awq quantizes the matrices of linear modules"
    ]


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("suffix", [".bin", ".gguf"])
def test_shards(run: Runner, tiny: Path, tmp_path: Path, suffix: str, text: bool) -> None:
    """Whatever is written may be cut, with a text and without; joined it is what one file would be."""
    (tmp_path / "text.txt").write_text(tiny.with_name("heldout.txt").read_text()[:3000])
    rules = ["--format", "Q4_0,F16", "-z", tiny.with_name("tiny_tokenizer.bin"), "-q"]
    rules += ["--calibration-text", tmp_path / "text.txt"] if text else []
    assert run("quantize", tiny, "-o", tmp_path / f"one{suffix}", *rules).code == 0
    told = run("quantize", tiny, "-o", tmp_path / f"x{suffix}", *rules, "--shard-size", "99kB", "--json").document
    first = "x.index.json" if suffix == ".bin" else min(tmp_path.glob("x-*.gguf")).name
    assert told["output"] == str(tmp_path / first)
    assert len(told["beside"]) == len(list(tmp_path.glob(f"x-*{suffix}"))) - (suffix == ".gguf")
    assert run("diff", tmp_path / first, tmp_path / f"one{suffix}").code == 0


def test_dry_run(run: Runner, folder: Path, tmp_path: Path) -> None:
    """Every tensor by its name in the output; nothing is written."""
    ended = run("quantize", folder, "-o", tmp_path / "x.gguf", "--format", "Q8_0", "--dry-run", "-q")
    assert ended.code == 0
    assert " ".join(ended.out.splitlines()[1].split()) == "token_embd.weight 48 x 64 F32 rule[2] Q8_0 8.5 3264"
    assert run("quantize", folder, "--to", "model.bin", "--format", "Q8_0", "--dry-run", "-q").code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


USAGE = [
    (["-o", "x.gguf"], "nothing says what the model should become. Add --recipe Q4_K_M, --format TAG, --size 500MB"),
    (["--format", "Q8_0"], "quantize needs an output. Add -o x.gguf, -o x.bin, or -o x/ for a folder."),
    (["-o", "x.q4", "--format", "Q8_0"], "x.q4: the output's name does not tell what it should be: found .q4. End it"),
    (["-o", "x.gguf", "--format", "Q8_0", "--recipe", "Q4_K_M"], "--format and --recipe exclude each other"),
    (["-o", "x.gguf", "--format", "Q8_0", "--size", "1MB"], "--format and --size exclude each other. --size and"),
    (["-o", "x.gguf", "--size", "1MB", "--budget", "4bpw"], "--size and --budget exclude each other."),
    (["-o", "x.bin", "--format", "Q8_0", "--no-feedback-for", "norm"], "there is no error feedback to leave out"),
    (["-o", "x.bin", "--format", "Q8_0", "--memory", "1MB"], "before a tensor is read: found 1 MB, expected"),
    (
        ["-o", "x.gguf", "--size", "4bpw", "--calibration-text", "t"],
        "--size is one in bytes of the output: found 4bpw.",
    ),
    (
        ["-o", "x.gguf", "--size", "1MB", "--memory", "1GB", "--calibration-text", "t"],
        "--memory does not go with --size or --budget. It goes with --recipe, --format or --policy; `fourcc calib",
    ),
    (["-o", "x.gguf", "--size", "1MB"], "--size and --budget need a text: formats are measured on it."),
    (["-o", "x.gguf", "--size", "lots", "--calibration-text", "t"], "no budget is spelled so: found 'lots'"),
    (
        ["-o", "x/", "--size", "1MB", "--calibration-text", "TEXT"],
        "--size and --budget mix formats that compressed-tens",
    ),
    (["-o", "x.gguf", "--format", "Q8_0", "--options", "Q4_0"], "--options does nothing here. It goes with --size and"),
    (["-o", "x.gguf", "--format", "Q8_0", "--pin", "*:Q8_0"], "--pin does nothing here. It goes with --size and --bu"),
    (["-o", "x.gguf", "--format", "Q8_0", "--documents"], "--documents does nothing here. It goes with --calibration"),
    (["-o", "x.gguf", "--format", "Q8_0", "--damping", "0.1"], "--damping goes with --feedback"),
    (["-o", "x.gguf", "--format", "Q8_0", "--feedback", "gptq"], "error feedback needs Hessians, and there is none."),
    (
        ["-o", "x.bin", "--format", "Q8_0", "--as", "F16"],
        "x.bin: --as does nothing here. A model.bin holds every format",
    ),
    (
        ["-o", "x", "--format", "Q8_0", "--to", "llama2c-v2", "--shard-size", "1GB"],
        "--shard-size does nothing here: llama2c-v2 is always one file. These are cut: gguf, safetensors, folders",
    ),
    (["-o", "x.gguf", "--format", "Q8_0", "--to", "awq"], "x.gguf: awq is a folder, and the output's name ends with"),
    (["-o", "x", "--format", "Q8_0", "--to", "onnx"], "--to 'onnx' is no kind of file that can be written, expected"),
    (["-o", "x.safetensors", "--format", "Q8_0"], "safetensors holds plain numbers: Q8_0 would be decoded again. A .g"),
    (["-o", "x/", "--format", "Q5_0"], "compressed-tensors has no place for 14 tensors in Q5_0"),
    (["-o", "x.gguf", "--format", "TC3"], "gguf has no place for 15 tensors in TC3: tok_embeddings"),
    (["-o", "x.gguf", "--format", "Q4_Z:size=3"], "--format Q4_Z:size=3: Q4_Z has no setting 'size'"),
    (
        ["-o", "x.gguf", "--size", "1MB", "--calibration-text", "TEXT", "--dry-run"],
        "--dry-run goes with --recipe, --fo",
    ),
    (["-o", "model", "--format", "Q8_0", "--force"], "input and output are the same folder"),
]


@pytest.mark.parametrize(("arguments", "message"), USAGE, ids=lambda each: each if isinstance(each, str) else "")
def test_usage(
    run: Runner, folder: Path, text: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    """Each wrong combination is answered with what to do, before anything is written."""
    monkeypatch.chdir(folder.parent)
    ended = run("quantize", folder, *(str(text) if each == "TEXT" else each for each in arguments))
    assert ended.code == 2, ended.err
    assert message in ended.err
    assert sorted(path.name for path in folder.parent.iterdir()) == ["model", "text.txt"]


def test_what_exists_stays(run: Runner, folder: Path, tmp_path: Path) -> None:
    """A file needs --force."""
    target = written(tmp_path, "x.gguf", b"old")
    assert "the output exists. --force replaces it." in run("quantize", folder, "-o", target, "--format", "Q8_0").err
    assert target.read_bytes() == b"old"
    assert run("quantize", folder, "-o", target, "--format", "Q8_0", "--force").code == 0
    assert len(GGUFReader(target).tensors) == 20


def test_a_text_beside_rules(run: Runner, tiny: Path, text: Path, tmp_path: Path) -> None:
    """It weighs errors, and the result is measured on its end; a folder's card says so."""
    tokenizer = tiny.with_name("tiny_tokenizer.bin")
    common = ("-z", tokenizer, "--format", "Q4_0,F16", "--calibration-text", text, "--documents")
    ended = run("quantize", tiny, "-o", tmp_path / "x", *common, "--json")
    assert ended.code == 0, ended.err
    mean = ended.document["kld"]["mean"]
    assert 0 < mean < 0.1
    card = (tmp_path / "x" / "README.md").read_text()
    assert f"KL divergence from the original: {mean:.4g} nats a token" in card
    plain = run("quantize", tiny, "-o", tmp_path / "y", "-z", tokenizer, "--format", "Q4_0,F16", "--json")
    assert plain.document["kld"] is None
    assert "KL divergence" not in (tmp_path / "y" / "README.md").read_text()
    one, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in "xy")
    assert one != other


def test_a_size(run: Runner, tiny: Path, text: Path, tmp_path: Path) -> None:
    """It is one of the GGUF file, to the byte; the mix is compared with what one format would be."""
    tokenizer = tiny.with_name("tiny_tokenizer.bin")
    options = ("-z", tokenizer, "--calibration-text", text, "--documents", "--options", "Q4_0,Q8_0")
    ended = run("quantize", tiny, "-o", tmp_path / "x.gguf", "--size", "480kB", *options, "--json")
    assert ended.code == 0, ended.err
    found, size = ended.document, (tmp_path / "x.gguf").stat().st_size
    assert 470_000 < size <= 480_000
    assert found["file_bytes"] == found["candidates"][0]["file_bytes"] == size
    assert [each["kind"] for each in found["candidates"]].count("mix") == 1
    assert all(each["file_bytes"] <= 480_000 for each in found["candidates"])
    with fourcc.open(tmp_path / "x.gguf") as source:
        assert {str(source[name].tag) for name in source} >= {"Q4_0", "Q8_0"}
    ended = run("quantize", tiny, "-o", tmp_path / "y.gguf", "--size", "100kB", *options)
    assert (ended.code, "no mix is within the budget" in ended.err) == (2, True)
