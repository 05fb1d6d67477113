"""A streamed conversion goes on where it was interrupted, and downloads only what lacks."""

from pathlib import Path

import pytest

from fourcc.conversion.carrying_out import execute
from fourcc.conversion.plan import plan
from fourcc.errors import UsageError
from fourcc.execution import Execution
from fourcc.files.part_file import check_output
from fourcc.policy import Policy
from fourcc.sources import open_source
from fourcc.sources.elsewhere import Transfer
from tests.hub.conftest import NAME, leftovers
from tests.hub.server import LocalHub


def streamed(output: Path, *, resume: bool, stop_at: str = "", threads: int = 2) -> bytes:
    """The bytes of a streamed conversion; it is interrupted when it comes to a tensor."""

    def watch(name: str, done: int, total: int) -> None:
        if stop_at and name == stop_at:
            raise KeyboardInterrupt

    with open_source(NAME, None, Transfer("stream", output.parent)) as opened:
        planned = plan(opened, Policy.chosen(format="Q8_0,F16"))
        target = check_output(output, opened.all_files, force=False, resume=resume)
        execute(planned, target, Execution(threads=threads, resume=resume, progress=watch))
    return output.read_bytes()


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("stop_at", ["layers.1.attention.wq", "layers.3.feed_forward.w1"])
def test_it_goes_on(hub: LocalHub, sharded: Path, expected: bytes, tmp_path: Path, stop_at: str, threads: int) -> None:
    """The bytes are those of an uninterrupted run; files whose tensors are done are not downloaded again."""
    hub.add(NAME, sharded)
    with pytest.raises(KeyboardInterrupt):
        streamed(tmp_path / "model.bin", resume=False, stop_at=stop_at, threads=threads)
    assert leftovers(tmp_path) == []
    before = whole_files(hub, sharded)
    hub.requests.clear()
    assert streamed(tmp_path / "model.bin", resume=True, threads=threads) == expected
    after = whole_files(hub, sharded)
    assert 1 <= len(before) <= 4
    assert len(before & after) <= 1  # the one that it was at
    assert before | after == {path.name for path in sharded.glob("*.safetensors")}


def test_another_commit_is_refused(hub: LocalHub, sharded: Path, tmp_path: Path) -> None:
    """Unfinished work was done of other files."""
    hub.add(NAME, sharded)
    with pytest.raises(KeyboardInterrupt):
        streamed(tmp_path / "model.bin", resume=False, stop_at="layers.2.attention.wq")
    hub.add(NAME, sharded, commit="f" * 40)
    with pytest.raises(UsageError, match=r"(?s)model-00001-of-00004.*identity.*0123456789abcdef"):
        streamed(tmp_path / "model.bin", resume=True)


def whole_files(hub: LocalHub, folder: Path) -> set[str]:
    """Names of the files that were asked for from end to end."""
    lengths = {f"bytes=0-{path.stat().st_size - 1}" for path in folder.glob("*.safetensors")}
    return {request.path.rpartition("/")[2] for request in hub.requests if request.range in lengths}
