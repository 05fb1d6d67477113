"""Going on with a conversion: whatever interrupted it, the result is that of a run that nothing interrupted."""

import contextlib
import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from xxhash import xxh3_64_hexdigest

import fourcc
from fourcc.conversion.result import Result
from fourcc.errors import InputError, NumericError, OutputError, UsageError
from fourcc.files.unfinished import beside
from fourcc.sources import open_source

FORMATS = "Q4_K,Q8_0,F16"


class Interruptions:
    """Progress that interrupts a conversion after so many tensors, and counts the tiles that were worked on.

    Args:
        after: number of tensors that may be done; None: all.
        error: what is then raised.
    """

    def __init__(self, after: int | None, error: type[BaseException] = KeyboardInterrupt) -> None:
        self.names: list[str] = []
        self._after, self._error = after, error

    def __call__(self, name: str, done: int, total: int) -> None:
        """Notes the tensor, or raises."""
        if name not in self.names:
            if len(self.names) == self._after:
                raise self._error
            self.names.append(name)


@pytest.fixture(scope="module")
def model(root: Path) -> Path:
    """The shipped model: 38 tensors."""
    return root / "fourcc" / "example" / "tiny.bin"


@pytest.fixture(scope="module")
def whole(model: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The bytes of a conversion that nothing interrupts."""
    path = tmp_path_factory.mktemp("whole") / "whole.bin"
    fourcc.convert(model, path, format=FORMATS)
    return path.read_bytes()


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """A name in an empty folder."""
    return tmp_path / "model.bin"


def converted(model: Path, output: Path, after: int | None = None, **more: Any) -> Result:
    """Converts, up to so many tensors."""
    return fourcc.convert(model, output, **{"format": FORMATS, "threads": 1, "progress": Interruptions(after)} | more)


def interrupted(model: Path, output: Path, after: int, **more: Any) -> None:
    """A conversion that is interrupted while it works on the next tensor after so many."""
    with pytest.raises(KeyboardInterrupt):
        converted(model, output, after, **more)


def names(output: Path) -> set[str]:
    """Names in the output's folder."""
    return {path.name for path in output.parent.iterdir()}


@pytest.mark.parametrize("after", [2, 20, 36])
def test_an_interrupted_conversion_goes_on(model: Path, whole: bytes, output: Path, after: int) -> None:
    """The result is the same, byte for byte, and no tensor that was done is done again."""
    interrupted(model, output, after)
    assert names(output) == {"model.bin.part", "model.bin.journal"}
    result = converted(model, output, resume=True)
    assert output.read_bytes() == whole
    assert names(output) == {"model.bin"}
    assert result.notes[-1] == f"{after} of {len(result.index.tensors)} tensors were done before"


def test_interrupted_again_and_again(model: Path, whole: bytes, output: Path) -> None:
    """Each run goes on where the one before ended."""
    seen = Interruptions(3)
    with pytest.raises(KeyboardInterrupt):
        fourcc.convert(model, output, format=FORMATS, threads=1, progress=seen)
    for after in (5, 7, 4, 9):  # what was done before is one name
        interrupted(model, output, after, resume=True)
    converted(model, output, resume=True)
    assert output.read_bytes() == whole


def test_how_it_goes_on_is_said(model: Path, output: Path) -> None:
    """In the interrupt itself, since nothing else leaves the work."""
    with pytest.raises(KeyboardInterrupt) as caught:
        converted(model, output, 6)
    assert caught.value.__notes__ == ["6 of 38 tensors are done: the same command with --resume goes on"]


def test_a_plain_run_is_refused(model: Path, whole: bytes, output: Path) -> None:
    """It says what is there, and both ways on; `force` begins anew."""
    interrupted(model, output, 6)
    with pytest.raises(UsageError) as caught:
        converted(model, output)
    assert str(caught.value) == (
        f"{output}.journal: unfinished work lies beside the output: 6 of 38 tensors are done. "
        "--resume goes on with it, --force begins anew."
    )
    assert names(output) == {"model.bin.part", "model.bin.journal"}
    converted(model, output, force=True)
    assert (output.read_bytes(), names(output)) == (whole, {"model.bin"})


def test_nothing_is_left_where_no_tensor_is_done(model: Path, output: Path) -> None:
    """There is nothing to go on with."""
    interrupted(model, output, 0)
    assert names(output) == set()


def test_nothing_to_go_on_with(model: Path, whole: bytes, output: Path) -> None:
    """It is a normal run, with a note; so it is after a kill before the first tensor was done."""
    note = "there was nothing to resume, so all tensors were written"
    assert converted(model, output, resume=True).notes[-1] == note
    output.unlink()
    beside(output, ".part").write_bytes(b"")
    beside(output, ".journal").write_bytes(b'{"facts":{')
    assert converted(model, output, resume=True).notes[-1] == note
    assert (output.read_bytes(), names(output)) == (whole, {"model.bin"})


def test_other_work_is_refused(model: Path, output: Path) -> None:
    """Each fact that differs is named: the policy, and the tensors' formats."""
    interrupted(model, output, 6)
    with pytest.raises(UsageError) as caught:
        converted(model, output, resume=True, format="Q6_K,Q8_0,F16")
    text = str(caught.value)
    assert text.startswith(f"{output}.journal: the unfinished work is not the one that is asked for: policy line ")
    assert "is 'tag = \"Q4_K\"', not 'tag = \"Q6_K\"'" in text
    assert text.endswith("Give --resume with what it began with, or --force to begin anew.")
    assert names(output) == {"model.bin.part", "model.bin.journal"}


def test_a_source_that_changed(model: Path, output: Path) -> None:
    """Its time of change tells it."""
    copy = output.with_name("source.bin")
    copy.write_bytes(model.read_bytes())
    interrupted(copy, output, 6)
    os.utime(copy, (0, 0))
    with pytest.raises(UsageError, match=r"source source\.bin changed is '20.*Z', not '1970-01-01T00:00:00\.0{9}Z'"):
        converted(copy, output, resume=True)


def test_unfinished_work_is_no_model(model: Path, output: Path) -> None:
    """Whoever opens the part, or the journal, is told what it is; a file that only has such a name is another."""
    interrupted(model, output, 6)
    part, journal = beside(output, ".part"), beside(output, ".journal")
    for path in (part, journal):
        for opened in (fourcc.open, open_source, fourcc.verify):
            with pytest.raises(InputError) as caught:
                opened(path)
            assert str(caught.value) == (
                f"{path}: unfinished work, not a model: 6 of 38 tensors are done. "
                "The command that began model.bin goes on with --resume."
            )
    journal.unlink()
    part.write_bytes(model.read_bytes())
    assert len(fourcc.open(part)) == 38
    with pytest.raises(UsageError, match="this input is where unfinished work would be kept"):
        converted(part, output, force=True)
    assert part.read_bytes() == model.read_bytes()


def test_damaged_bytes_are_done_again(model: Path, whole: bytes, output: Path) -> None:
    """Any tensor, wherever it lies; the note names it."""
    interrupted(model, output, 30)
    part = beside(output, ".part")
    data = bytearray(part.read_bytes())
    with fourcc.open(model) as opened:
        first, second, *_ = opened
    data[100] ^= 1
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    notes = converted(model, output, resume=True).notes
    assert output.read_bytes() == whole
    assert notes[-2] == "28 of 38 tensors were done before"
    assert notes[-1].startswith(f"{first}, ")
    assert notes[-1].endswith(": they are done again, since the bytes are not as they were written")
    assert second not in notes[-1]


@pytest.mark.parametrize("shard_size", [None, "1GB", "90kB"])
def test_what_lies_between_the_parts_becomes_zero(model: Path, tmp_path: Path, shard_size: str | None) -> None:
    """And what lies behind them: an unfinished file may have any bytes where nothing was written yet."""
    plain, again = tmp_path / "plain", tmp_path / "again"
    for folder in (plain, again):
        folder.mkdir()
    how = {"exclude": ["layers.[23]*"], "shard_size": shard_size, "format": "Q4_M,F16"}
    converted(model, plain / "model.bin", **how)
    interrupted(model, again / "model.bin", 9, **how)
    for part in again.glob("*.part"):
        for path in [*part.iterdir()] if part.is_dir() else [part]:
            path.write_bytes(path.read_bytes() + b"\xff" * 1_000_000)
    converted(model, again / "model.bin", resume=True, **how)
    assert {path.name: path.read_bytes() for path in again.iterdir()} == {
        path.name: path.read_bytes() for path in plain.iterdir()
    }
    assert fourcc.verify(again) == ()


@pytest.mark.parametrize("length", [0, 70, 5000])
def test_a_part_file_that_is_cut(model: Path, whole: bytes, output: Path, length: int) -> None:
    """As after a power cut: the journal says more than reached the disk."""
    interrupted(model, output, 20)
    os.truncate(beside(output, ".part"), length)
    converted(model, output, resume=True)
    assert output.read_bytes() == whole


def test_a_damaged_journal(model: Path, whole: bytes, output: Path) -> None:
    """It is refused; `force` begins anew."""
    interrupted(model, output, 6)
    journal = beside(output, ".journal")
    data = journal.read_bytes()
    at = data.index(b'"unit":')
    journal.write_bytes(data[:at] + b"?" + data[at + 1 :])
    with pytest.raises(InputError, match=r"the journal is damaged\. Give --force to begin anew\."):
        converted(model, output, resume=True)
    converted(model, output, force=True)
    assert output.read_bytes() == whole


@pytest.mark.parametrize("record", [{}, {"parts": 5}, {"parts": [["w"]]}, {"parts": [], "error": [0] * 9}, [], 7, None])
def test_an_entry_of_something_else(model: Path, output: Path, record: object) -> None:
    """Its checksum is right, and it tells nothing of a tensor: an error of the file, not of the program."""
    interrupted(model, output, 6)
    journal = beside(output, ".journal")
    head, first, *others = journal.read_bytes().splitlines(keepends=True)
    body = json.dumps({"unit": json.loads(first)["unit"], "record": record}, separators=(",", ":"))[:-1]
    line = f'{body},"sum":"{xxh3_64_hexdigest(body.encode())}"}}\n'
    journal.write_bytes(b"".join([head, line.encode(), *others]))
    with pytest.raises(InputError, match=r" is damaged\. Give --force to begin anew\."):
        converted(model, output, resume=True)


def test_a_file_in_the_way(model: Path, output: Path) -> None:
    """A part file without a journal may be anybody's: it stays, even with `force`."""
    part = beside(output, ".part")
    part.write_bytes(b"somebody's download")
    for more in ({}, {"force": True}, {"resume": True}):
        with pytest.raises(UsageError, match=r"no journal belongs to it\. Move it, or give the output another name"):
            converted(model, output, **more)
    assert part.read_bytes() == b"somebody's download"


def test_two_at_once(model: Path, output: Path) -> None:
    """The second is refused while the first lives, whatever it asks for."""

    def again(*_: object) -> None:
        for more in ({}, {"force": True}, {"resume": True}):
            with pytest.raises(UsageError) as caught:
                converted(model, output, **more)
            assert str(caught.value) == (
                f"{output}: another run is writing this output. Wait for it, or write to another name."
            )
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        converted(model, output, progress=again)
    assert names(output) == set()


@pytest.mark.parametrize(
    ("error", "kept"),
    [(OSError, True), (MemoryError, True), (OutputError, True), (InputError, True), (SystemExit, True)],
)
def test_what_is_kept_after_an_error(model: Path, output: Path, error: type[BaseException], *, kept: bool) -> None:
    """All but what would come again."""

    def fail(name: str, *_: object) -> None:
        if name == "layers.0.attention.wv":
            raise error("no")

    with pytest.raises(error):
        converted(model, output, progress=fail)
    assert bool(names(output)) is kept


def test_an_error_that_would_come_again(output: Path) -> None:
    """A weight that is not a number: the same conversion would end the same way, and another has another policy."""
    import numpy as np

    source = output.with_name("a.npz")
    good, bad = np.ones((32, 64), np.float32), np.full((32, 64), np.nan, np.float32)
    np.savez(source, a=good, b=good, c=bad)
    with pytest.raises(NumericError):
        converted(source, output, format="Q8_0")
    assert names(output) == {"a.npz"}


def test_a_full_disk(model: Path, whole: bytes, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says how it goes on; once there is space, it does."""
    real = os.pwrite

    def full(fd: int, data: bytes, offset: int) -> int:
        if offset > 100_000:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OutputError) as caught:
        converted(model, output)
    monkeypatch.undo()
    text = str(caught.value)
    assert text.startswith(f"{output}: cannot write the output: No space left on device. ")
    assert text.endswith(" of 38 tensors are done: the same command with --resume goes on.")
    converted(model, output, resume=True)
    assert output.read_bytes() == whole


def interrupt() -> None:
    """Ends the work with all that Python does then."""
    raise KeyboardInterrupt


def at_call(
    number: int, real: Callable[..., Any], count: list[int], end: Callable[[], object] = interrupt
) -> Callable[..., Any]:
    """A system call before which the n-th time the process is interrupted, or ends."""

    def call(*args: Any, **named: Any) -> Any:
        count[0] += 1
        if count[0] == number:
            end()
        return real(*args, **named)

    return call


CALLS = ("pwrite", "write", "fsync", "ftruncate", "replace", "rename", "unlink", "rmdir", "open", "mkdir")


def calls_until(model: Path, output: Path, monkeypatch: pytest.MonkeyPatch, number: int, **more: Any) -> int:
    """Goes on with a conversion, interrupted at the n-th system call; gives the number of calls."""
    count = [0]
    with monkeypatch.context() as patched, contextlib.suppress(KeyboardInterrupt):
        for call in CALLS:
            patched.setattr(os, call, at_call(number, getattr(os, call), count))
        converted(model, output, **more)
    return count[0]


def killed_at(model: Path, output: Path, number: int, **more: Any) -> None:
    """Goes on with a conversion in a child that ends at the n-th system call, and cleans nothing up."""
    child, count = os.fork(), [0]
    if not child:
        for call in CALLS:
            setattr(os, call, at_call(number, getattr(os, call), count, lambda: os._exit(9)))
        try:
            converted(model, output, **more)
        finally:
            os._exit(0)
    os.waitpid(child, 0)


@pytest.mark.thorough
@pytest.mark.parametrize("force", [False, True])
def test_a_kill_at_every_call_of_the_end(
    model: Path, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, force: bool
) -> None:
    """Whatever lies there: the output is the old one or complete, and the next run completes it, or it was complete."""
    begun, output = tmp_path / "begun" / "model.bin", tmp_path / "home" / "model.bin"
    begun.parent.mkdir()
    if force:
        begun.write_bytes(b"old")
    interrupted(model, begun, 37, force=force)
    shutil.copytree(begun.parent, output.parent)
    calls = calls_until(model, output, monkeypatch, 0, force=force, resume=True)
    for number in range(1, calls + 1):
        shutil.rmtree(output.parent)
        shutil.copytree(begun.parent, output.parent)
        killed_at(model, output, number, force=force, resume=True)
        assert (output.read_bytes() if output.exists() else b"old") in {b"old", whole}
        if names(output) != {"model.bin"} or output.read_bytes() != whole:
            converted(model, output, resume=True, force=force)
        assert (output.read_bytes(), names(output)) == (whole, {"model.bin"})


@pytest.mark.thorough
@pytest.mark.parametrize("force", [False, True])
@pytest.mark.parametrize("tensors", [0, 37])
def test_every_call_of_the_end(
    model: Path, whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tensors: int, *, force: bool
) -> None:
    """Whichever the last system call was: the next run completes it, or it was complete; `tensors` are done before."""
    old = b"old contents"
    begun, output = tmp_path / "begun" / "model.bin", tmp_path / "home" / "model.bin"
    begun.parent.mkdir()
    if force:
        begun.write_bytes(old)
    if tensors:
        interrupted(model, begun, tensors, force=force)

    def until(number: int) -> int:
        shutil.rmtree(output.parent, ignore_errors=True)
        shutil.copytree(begun.parent, output.parent)
        return calls_until(model, output, monkeypatch, number, force=force, resume=True)

    calls = until(0)
    assert calls > 12
    for number in range(1, calls + 1, 1 if tensors else 7):
        until(number)
        assert (output.read_bytes() if output.exists() else old) in {old, whole}
        if names(output) != {"model.bin"} or output.read_bytes() != whole:
            converted(model, output, resume=True, force=force)
        assert (output.read_bytes(), names(output)) == (whole, {"model.bin"})


def contents(folder: Path) -> dict[str, bytes]:
    """Every file in a folder and below it."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.thorough
@pytest.mark.parametrize(("size", "force"), [("500KB", True), ("5GB", False)])
def test_every_call_of_the_end_of_shards(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: str, *, force: bool
) -> None:
    """Whichever the last system call was, of several shards or one: no tensor but the last is written again."""
    begun, home, made = tmp_path / "begun", tmp_path / "home", tmp_path / "made"
    begun.mkdir()
    made.mkdir()
    converted(model, made / "model.bin", shard_size=size)
    if force:
        converted(model, begun / "model.bin", format="F16", shard_size="400KB")
    interrupted(model, begun / "model.bin", 37, force=force, shard_size=size)

    def until(number: int) -> int:
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(begun, home)
        return calls_until(model, home / "model.bin", monkeypatch, number, force=force, resume=True, shard_size=size)

    calls = until(0)
    assert calls > 12
    for number in range(1, calls + 1):
        until(number)
        if contents(home) != contents(made):
            notes = converted(model, home / "model.bin", resume=True, force=force, shard_size=size).notes
            seen = [note[:3] for note in notes if note.endswith(" of 38 tensors were done before")]
            assert seen in ([], ["37 "], ["38 "])
        assert contents(home) == contents(made)
