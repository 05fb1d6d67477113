"""Going on with exports: files, folders, and the files beside, whatever interrupted them."""

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fourcc
from fourcc.errors import UsageError
from fourcc.files.unfinished import beside

# The name of the output -> the options of the export; files beside, shards, and parts that are packed are among them.
KINDS: dict[str, dict[str, Any]] = {
    "model.gguf": {"format": "Q8_0,F16"},
    "cut.gguf": {"format": "Q8_0,F16", "shard_size": "300KB"},
    "model.safetensors": {"instead": "BF16"},
    "stories.bin": {"to": "llama2c-v2"},
    "hf": {"instead": "BF16", "shard_size": "500KB"},
    "awq": {"to": "awq"},
}
CALLS = ("pwrite", "write", "fsync", "ftruncate", "replace", "rename", "unlink", "rmdir", "open", "mkdir")


class Interruption:
    """Progress that interrupts an export after so many tensors."""

    def __init__(self, after: int | None) -> None:
        self.names: list[str] = []
        self._after = after

    def __call__(self, name: str, done: int, total: int) -> None:
        """Notes the tensor, or raises."""
        if name not in self.names:
            if len(self.names) == self._after:
                raise KeyboardInterrupt
            self.names.append(name)


@pytest.fixture(scope="module")
def model(root: Path) -> Path:
    """The shipped model."""
    return root / "fourcc" / "example" / "tiny.bin"


def exported(model: Path, output: Path, after: int | None = None, **more: Any) -> Any:
    """Exports, up to so many tensors."""
    return fourcc.export(model, output, **{"threads": 1, "progress": Interruption(after)} | KINDS[output.name] | more)


def interrupted(model: Path, output: Path, after: int, **more: Any) -> None:
    """An export that is interrupted while it works on the next tensor after so many."""
    with pytest.raises(KeyboardInterrupt):
        exported(model, output, after, **more)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file in a folder and below it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module", params=list(KINDS))
def whole(request: pytest.FixtureRequest, model: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A kind's name, and the files of an export that nothing interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    exported(model, folder / request.param)
    return request.param, contents(folder)


@pytest.mark.parametrize("after", [1, 20])
def test_an_interrupted_export_goes_on(model: Path, whole: Any, tmp_path: Path, after: int) -> None:
    """The files are the same, byte for byte, and no tensor that was done is done again."""
    name, files = whole
    output = tmp_path / name
    interrupted(model, output, after)
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.part", f"{name}.journal"}
    with pytest.raises(UsageError, match="--resume goes on with it, --force begins anew"):
        exported(model, output)
    again = Interruption(None)
    result = exported(model, output, resume=True, progress=again)
    assert contents(tmp_path) == files
    assert result.notes[0].endswith((" tensors was done before", " tensors were done before"))
    assert {path.name for path in tmp_path.iterdir()} == {Path(each).parts[0] for each in files}


def test_begun_anew(model: Path, whole: Any, tmp_path: Path) -> None:
    """With `force`; an old output stays until then."""
    name, files = whole
    exported(model, tmp_path / name)
    interrupted(model, tmp_path / name, 5, force=True)
    assert {each: contents(tmp_path)[each] for each in files} == files
    exported(model, tmp_path / name, force=True)
    assert contents(tmp_path) == files


def test_damaged_bytes_are_done_again(model: Path, whole: Any, tmp_path: Path) -> None:
    """Any byte of the part: in a head, which is written again, or of a tensor, which is compared."""
    name, files = whole
    output = tmp_path / name
    interrupted(model, output, 20)
    part = beside(output, ".part")
    for file in [part] if part.is_file() else part.iterdir():
        data = bytearray(file.read_bytes())
        if data:
            for at in range(0, len(data), max(1, len(data) // 7)):
                data[at] ^= 1
            file.write_bytes(data)
    result = exported(model, output, resume=True)
    assert contents(tmp_path) == files
    assert any("done again, since the bytes are not as they were written" in note for note in result.notes)


@pytest.mark.parametrize("shard_size", [None, "300B"])
def test_what_lies_between_tensors_becomes_zero(tmp_path: Path, shard_size: str | None) -> None:
    """Rows of 18 bytes leave padding in a GGUF file; unfinished bytes may be anything where nothing was written yet."""
    source, plain, again = tmp_path / "odd.npz", tmp_path / "plain", tmp_path / "again"
    random = np.random.default_rng(0)
    np.savez(source, **{f"w{number}": random.standard_normal((3 + 2 * number, 32)) for number in range(6)})
    for folder in (plain, again):
        folder.mkdir()
    how = {"format": "Q4_0", "shard_size": shard_size, "threads": 1}
    fourcc.export(source, plain / "odd.gguf", **how)
    with pytest.raises(KeyboardInterrupt):
        fourcc.export(source, again / "odd.gguf", progress=Interruption(2), **how)
    for part in again.glob("*.part"):
        for path in [*part.iterdir()] if part.is_dir() else [part]:
            path.write_bytes(path.read_bytes() + b"\xff" * 10_000)
    fourcc.export(source, again / "odd.gguf", resume=True, **how)
    assert contents(again) == contents(plain)


def test_other_kinds_and_sources_are_refused(model: Path, tmp_path: Path) -> None:
    """An export of another kind to the same name, and one of other options; each fact is named."""
    output = tmp_path / "hf"
    interrupted(model, output, 5)
    with pytest.raises(UsageError, match=r"layout files model-00002-of-00003\.safetensors is \d+, not \d+; "):
        exported(model, output, resume=True, shard_size="600KB")
    with pytest.raises(UsageError, match="work is 'export to huggingface', not 'export to awq'"):
        exported(model, output, resume=True, to="awq", instead="", shard_size=None)


def test_a_conversion_is_not_an_export(model: Path, tmp_path: Path) -> None:
    """Nor the other way round."""
    output = tmp_path / "stories.bin"
    interrupted(model, output, 5)
    with pytest.raises(UsageError, match="work is 'export to llama2c-v2', not 'convert'"):
        fourcc.convert(model, output, format="Q8_0,F16", resume=True)


def test_a_folder_with_other_files(model: Path, tmp_path: Path) -> None:
    """They stay; the part lies beside the folder, not in it."""
    output = tmp_path / "hf"
    output.mkdir()
    (output / "notes.txt").write_text("mine")
    interrupted(model, output, 5, force=True)
    assert {path.name for path in tmp_path.iterdir()} == {"hf", "hf.part", "hf.journal"}
    exported(model, output, resume=True, force=True)
    assert (output / "notes.txt").read_text() == "mine"
    assert (output / "model.safetensors.index.json").exists()


def at_call(number: int, real: Callable[..., Any], count: list[int]) -> Callable[..., Any]:
    """A system call before which the n-th time the process is interrupted."""

    def call(*args: Any, **named: Any) -> Any:
        count[0] += 1
        if count[0] == number:
            raise KeyboardInterrupt
        return real(*args, **named)

    return call


def interrupted_at(model: Path, output: Path, monkeypatch: pytest.MonkeyPatch, number: int, **more: Any) -> int:
    """Goes on with an export, interrupted at the n-th system call; gives the number of calls."""
    count = [0]
    with monkeypatch.context() as patched, contextlib.suppress(KeyboardInterrupt):
        for call in CALLS:
            patched.setattr(os, call, at_call(number, getattr(os, call), count))
        exported(model, output, **more)
    return count[0]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("whole", "there"), [("model.safetensors", False), ("hf", True), ("cut.gguf", True)], indirect=["whole"]
)
def test_every_call_of_the_end(
    model: Path, whole: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, there: bool
) -> None:
    """Whichever the last system call was: the next run completes it, or it was complete; `there`: over old files."""
    name, files = whole
    begun, home = tmp_path / "begun", tmp_path / "home"
    begun.mkdir()
    for each in files if there else ():
        (begun / each).parent.mkdir(exist_ok=True)
        (begun / each).write_bytes(b"old")
    interrupted(model, begun / name, 37, force=there)

    def calls_until(number: int) -> int:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(begun, home)
        return interrupted_at(model, home / name, monkeypatch, number, resume=True, force=there)

    calls = calls_until(0)
    assert (contents(home), calls > 8) == (files, True)
    for number in range(1, calls + 1):
        calls_until(number)
        if contents(home) != files:
            exported(model, home / name, resume=True, force=there)
        assert contents(home) == files
