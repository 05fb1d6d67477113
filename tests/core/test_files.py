"""Ordinary reads, and what is said where they fail."""

import errno
import os
from pathlib import Path

import pytest

from fourcc.cli.render.failures import failure
from fourcc.errors import SourceError
from fourcc.files.read import ReadFile


@pytest.fixture
def file(tmp_path: Path) -> ReadFile:
    """A file of 100 bytes."""
    path = tmp_path / "m"
    path.write_bytes(bytes(range(100)))
    return ReadFile(path, SourceError)


@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_read_error_names_file_and_place(file: ReadFile, monkeypatch: pytest.MonkeyPatch, call: int) -> None:
    """M8: whichever of the calls meets it."""
    calls, real = 0, os.preadv

    def read(fd: int, runs: list[memoryview], offset: int) -> int:
        nonlocal calls
        calls += 1
        if calls == call:
            raise OSError(errno.EIO, "Input/output error")
        return real(fd, [runs[0][:20]], offset)

    monkeypatch.setattr(os, "preadv", read)
    with pytest.raises(OSError, match="Input/output error") as caught:
        file.read(10, 60)
    assert (caught.value.errno, caught.value.filename) == (errno.EIO, str(file.path))
    at = 10 + 20 * (call - 1)
    expected = f"{file.path}: Input/output error (reading {70 - at} bytes at byte {at})"
    assert failure(caught.value).message == expected
    assert failure(caught.value).exit_code == 4


def test_a_file_that_is_cut_meanwhile(file: ReadFile) -> None:
    """Bytes that are no longer there are named with their place."""
    os.truncate(file.path, 50)
    with pytest.raises(SourceError, match="m, byte 50: the file ends too early, expected 20 more bytes"):
        file.read(40, 30)
    assert file.changed()


@pytest.mark.parametrize(("offset", "count"), [(0, 101), (100, 1), (101, 0), (99, 2**62), (2**62, 1)])
def test_beyond_the_end(file: ReadFile, offset: int, count: int) -> None:
    """The read is refused before memory is allocated."""
    with pytest.raises(SourceError, match=f"the file ends too early, expected {offset + count - 100} more bytes"):
        file.read(offset, count)
    assert file.read(100, 0) == b""
