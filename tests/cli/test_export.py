"""`fourcc export`."""

from pathlib import Path

import numpy as np
import pytest
from gguf import GGUFReader

import fourcc
from fourcc.policy import Policy
from tests.cli.making import Runner, write_safetensors


@pytest.fixture
def other(tiny: Path, tmp_path: Path) -> Path:
    """The shipped model in a format that is nobody else's."""
    path = tmp_path / "other.bin"
    fourcc.convert(tiny, path, policy=Policy.shorthand("Q8_B"), include=["layers.0.*"])
    return path


def test_summary(run: Runner, model: Path, tmp_path: Path) -> None:
    """The summary names the file and its formats."""
    ended = run("export", model, "-o", tmp_path / "out.gguf")
    assert ended.code == 0
    rows = dict(line.split(maxsplit=1) for line in ended.out.splitlines())
    assert rows["output"] == f"{tmp_path / 'out.gguf'}: gguf"
    assert rows["tensors"] == "38 (25 Q8_0, 9 F32, 4 F16)"
    assert rows["converted"] == "0"
    assert "fourcc: note" not in ended.err
    assert len(GGUFReader(tmp_path / "out.gguf").tensors) == 38


def test_document(run: Runner, other: Path, tmp_path: Path) -> None:
    """The summary as one object; quiet is quiet."""
    ended = run("export", other, "-o", tmp_path / "out.gguf", "--as", "Q8_0,F16", "--json", "-q")
    assert (ended.code, ended.err) == (0, "")
    found = ended.document
    assert found["kind"] == "gguf"
    assert found["formats"] == {"F32": 2, "Q8_0": 6, "F16": 1}
    assert found["converted"] == [f"layers.0.{n}" for n in (*(f"attention.w{c}" for c in "qkvo"), *WEIGHTS)]
    assert found["file_bytes"] == (tmp_path / "out.gguf").stat().st_size
    assert found["notes"][-1].startswith("the model has no tokenizer")


WEIGHTS = [f"feed_forward.w{i}" for i in (1, 2, 3)]


def test_dry_run(run: Runner, other: Path, tmp_path: Path) -> None:
    """A dry run lists every tensor; nothing is written, and no output need be named."""
    ended = run("export", other, "--to", "gguf", "--as", "Q8_0,F16", "--dry-run", "-q")
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert " ".join(lines[2].split()) == "blk.0.attn_q.weight 96 x 96 Q8_B rule[0] Q8_0 for Q8_B 8.5 9792"
    assert " ".join(lines[1].split()) == "blk.0.attn_norm.weight 96 F32 rule[0] F32 kept 32 384"
    assert lines[10].startswith("total: 9 tensors, 78528 weights")
    assert not list(tmp_path.glob("*.gguf"))


def test_a_policy_first(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """The original is exported in one step, with the bytes that `convert` and then `export` give."""
    assert run("export", tiny, "-o", tmp_path / "a.gguf", "--format", "Q4_0,F16").code == 0
    assert run("convert", tiny, "-o", tmp_path / "m.bin", "--format", "Q4_0,F16").code == 0
    assert run("export", tmp_path / "m.bin", "-o", tmp_path / "b.gguf").code == 0
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


def test_threads_change_nothing(run: Runner, other: Path, tmp_path: Path) -> None:
    """One thread and four write equal bytes."""
    for name, threads in (("a", 1), ("b", 4)):
        assert run("export", other, "-o", tmp_path / f"{name}.gguf", "--as", "Q8_0,F16", "--threads", threads).code == 0
    assert (tmp_path / "a.gguf").read_bytes() == (tmp_path / "b.gguf").read_bytes()


def test_usage(run: Runner, model: Path, other: Path, tmp_path: Path) -> None:
    """Each wrong use is answered with what to do next."""
    cases = [
        ([model], "the output's name does not tell what it should be. Add --to with one of gguf"),
        ([model, "-o", tmp_path / "x.bin"], "x.bin: the output's name does not tell what it should be. Add --to"),
        ([model, "-o", tmp_path / "x.gguf", "--to", "onnx"], "--to 'onnx' is no kind of file that can be written"),
        ([model, "--to", "gguf"], "export needs an output. Add -o FILE, or --dry-run."),
        ([other, "-o", tmp_path / "x.gguf"], "gguf has no place for 7 tensors in Q8_B: layers.0.attention.wq"),
        ([other, "-o", tmp_path / "x.gguf", "--as", "Q9"], "no installed package provides the format Q9"),
        ([other, "-o", tmp_path / "x.gguf", "--as", "Q8_0"], "rows of 176 are not a multiple of 32"),
        ([model, "-o", tmp_path / "x.gguf", "--exclude", "nope"], "--exclude 'nope' matches no tensor"),
    ]
    for arguments, message in cases:
        ended = run("export", *arguments)
        assert ended.code == 2, arguments
        assert message in ended.err
    assert not (tmp_path / "x.gguf").exists()


def test_what_exists_stays(run: Runner, model: Path, tmp_path: Path) -> None:
    """A file stays without --force, and where the export fails."""
    target = tmp_path / "out.gguf"
    target.write_bytes(b"old")
    assert "the output exists. --force replaces it." in run("export", model, "-o", target).err
    assert target.read_bytes() == b"old"
    damaged = tmp_path / "damaged.bin"
    data = bytearray(model.read_bytes())
    data[100_000] ^= 1
    damaged.write_bytes(data)
    ended = run("export", damaged, "-o", target, "--force")
    assert (ended.code, target.read_bytes()) == (3, b"old")
    assert "is damaged" in ended.err
    assert run("export", model, "-o", target, "--force").code == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["damaged.bin", "out.gguf"]
    assert "input and output are the same file" in run("export", target, "-o", target, "--force").err


def test_an_idle_as_is_noted(run: Runner, model: Path, other: Path, tmp_path: Path) -> None:
    """A note says that `--as` changes nothing if the file holds all tensors as they are."""
    idle = "note: --as Q4_0,F16 changes nothing: the file holds every tensor as it is"
    assert idle in run("export", model, "-o", tmp_path / "a.gguf", "--as", "Q4_0,F16").err
    ended = run("export", model, "-o", tmp_path / "c.gguf", "--as", "Q9")
    assert (ended.code, "no installed package provides the format Q9" in ended.err) == (2, True)
    assert "changes nothing" not in run("export", other, "-o", tmp_path / "b.gguf", "--as", "Q8_0,F16").err


def test_a_tensor_that_a_format_wipes_out_is_noted(run: Runner, tmp_path: Path) -> None:
    """The note is that of `convert`."""
    source = write_safetensors(tmp_path / "in.safetensors", {"w": np.full((4, 32), 1e-9, np.float32)})
    ended = run("export", source, "-o", tmp_path / "out.gguf", "--format", "Q8_0", "--json")
    note = "hardly anything is left of 1 tensor (SQNR below 1 dB): w; try another format"
    assert ended.code == 0
    assert ended.document["notes"][-1] == note
    assert f"note: {note}" in ended.err
