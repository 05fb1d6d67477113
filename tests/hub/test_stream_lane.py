"""The short form of the lane that streams a large checkpoint: a few megabytes, made when they are asked for."""

from pathlib import Path

import pytest

import fourcc
from tests.hub.server import LocalHub, Repo
from tests.lanes import stream


@pytest.mark.thorough
def test_streamed_is_as_converted(hub: LocalHub, tmp_path: Path) -> None:
    """The bytes are those of a conversion of the same files, and one file was on the disk at a time."""
    files = stream.checkpoint(24 << 20, 6)
    hub.repos[stream.NAME] = Repo(files)
    made = stream.streamed(hub, tmp_path, "Q8_0,F16", 2)
    assert 0 < made.disk < max(contents.size for contents in files.values()) + (6 << 19)
    here = stream.written_out(files, tmp_path / "here")
    fourcc.convert(here, tmp_path / "here.bin", format="Q8_0,F16")
    assert made.output.read_bytes() == (tmp_path / "here.bin").read_bytes()


def test_bytes_do_not_depend_on_how_they_are_asked_for() -> None:
    """A run of bytes is the same within a longer one."""
    file = stream.Made(3, {"a": 2, "b": 3})
    whole = file.read(0, file.size)
    assert len(whole) == file.size
    for begin, end in ((0, 9), (5, 700), (301, 302), (file.size - 3, file.size)):
        assert file.read(begin, end) == whole[begin:end]
