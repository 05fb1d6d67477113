"""A conversion to shards goes on wherever it was interrupted, with the bytes of one that was not."""

import itertools
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fourcc
from fourcc.errors import UsageError
from tests.core.fakes import installed
from tests.core.seam_formats import OUTLIERS


@pytest.fixture(scope="module")
def tiny(root: Path) -> Path:
    """The shipped model."""
    return root / "fourcc" / "example" / "tiny.bin"


def converted(tiny: Path, folder: Path, after: int | None = None, tag: str = "Q8_0", **more: Any) -> object:
    """Converts to shards; interrupted in the tensor after so many."""
    seen: list[str] = []

    def progress(name: str, done: int, total: int) -> None:
        if name not in seen:
            if len(seen) == after:
                raise KeyboardInterrupt
            seen.append(name)

    how = {"format": f"{tag},F16", "shard_size": "60kB", "threads": 1, "exclude": ["layers.[23]*"]}
    return fourcc.convert(tiny, folder / "m.bin", progress=progress, **{**how, **more})


def contents(folder: Path) -> dict[str, bytes]:
    """The files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize(
    ("tag", "after"),
    [
        ("Q8_0", 9),
        ("Outl", 14),
        *(pytest.param(*each, marks=pytest.mark.thorough) for each in (("Q8_0", 2), ("Q8_0", 19), ("Outl", 7))),
    ],
)
def test_it_goes_on(tiny: Path, tmp_path: Path, tag: str, after: int) -> None:
    """No tensor that was done is done again; variable lengths may have to be."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with installed(OUTLIERS):
        converted(tiny, tmp_path / "a", tag=tag)
        with pytest.raises(KeyboardInterrupt) as caught:
            converted(tiny, tmp_path / "b", after, tag)
        assert caught.value.__notes__ == [f"{after} of 20 tensors are done: the same command with --resume goes on"]
        assert sorted(contents_names(tmp_path / "b")) == ["m.index.json.journal", "m.index.json.part"]
        with pytest.raises(UsageError, match="unfinished work lies beside the output"):
            converted(tiny, tmp_path / "b", tag=tag)
        with pytest.raises(UsageError, match=r"shard size"):
            converted(tiny, tmp_path / "b", tag=tag, resume=True, shard_size="50kB")
        result = converted(tiny, tmp_path / "b", tag=tag, resume=True)
    assert result.notes[-1] == f"{after} of 20 tensors were done before"  # type: ignore[attr-defined]
    assert contents(tmp_path / "a") == contents(tmp_path / "b")


def contents_names(folder: Path) -> list[str]:
    """Names in a folder."""
    return sorted(path.name for path in folder.iterdir())


def test_it_begins_anew(tiny: Path, tmp_path: Path) -> None:
    """With `force`; nothing of the old work is left."""
    with pytest.raises(KeyboardInterrupt):
        converted(tiny, tmp_path, 9)
    converted(tiny, tmp_path, force=True)
    assert fourcc.verify(tmp_path) == ()
    assert not list(tmp_path.glob("*.part"))
    assert not list(tmp_path.glob("*.journal"))


def test_unfinished_work_is_not_split_over(tiny: Path, tmp_path: Path) -> None:
    """Hours of it would be lost; `force` says that they may be. What a killed split leaves is in nobody's way."""
    fourcc.convert(tiny, tmp_path / "whole.bin", format="Q8_0,F16")
    with pytest.raises(KeyboardInterrupt):
        converted(tiny, tmp_path, 9)
    with pytest.raises(UsageError, match="unfinished work lies beside the output: 9 of 20 tensors are done"):
        fourcc.split(tmp_path / "whole.bin", tmp_path / "m", shard_size="60kB")
    fourcc.split(tmp_path / "whole.bin", tmp_path / "m", shard_size="60kB", force=True)
    assert fourcc.verify(tmp_path / "m.index.json") == ()
    killed = "import os, sys, fourcc; fourcc.split(*sys.argv[1:3], shard_size='60kB', progress=lambda *_: os._exit(9))"
    command = [sys.executable, "-c", killed, tmp_path / "whole.bin", tmp_path / "k"]
    assert subprocess.run(command, check=False).returncode == 9
    assert (tmp_path / "k.index.json.part").exists()
    fourcc.split(tmp_path / "whole.bin", tmp_path / "k", shard_size="60kB")
    assert not list(tmp_path.glob("k.*.part"))


def test_an_interrupt_leaves_nothing_of_split_and_join(tiny: Path, tmp_path: Path) -> None:
    """They take as long as copying, and are done anew."""

    def stop(name: str, done: int, total: int) -> None:
        if done > total // 2:
            raise KeyboardInterrupt

    fourcc.convert(tiny, tmp_path / "whole.bin", format="Q8_0,F16")
    fourcc.split(tmp_path / "whole.bin", tmp_path / "m", shard_size="60kB")
    before = contents_names(tmp_path)
    with pytest.raises(KeyboardInterrupt):
        fourcc.split(tmp_path / "whole.bin", tmp_path / "n", shard_size="60kB", progress=stop)
    with pytest.raises(KeyboardInterrupt):
        fourcc.join(tmp_path / "m.index.json", tmp_path / "joined.bin", progress=stop)
    assert contents_names(tmp_path) == before


@pytest.mark.parametrize(
    "number", [n if n in {2, 9} else pytest.param(n, marks=pytest.mark.thorough) for n in range(1, 13)]
)
def test_killed_while_files_get_their_names(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """At each rename of the end, over an old set: the mixture is refused, and `resume` completes the new set."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        converted(
            tiny, tmp_path / name, tag="Q4_0" if name == "b" else "Q8_0", shard_size="40kB" if name == "b" else "60kB"
        )
    real, calls = Path.rename, itertools.count(1)

    class Killed(BaseException):
        """Stands for the end of the process: nothing may clean up after it."""

    def dying(self: Path, target: Path) -> Path:
        if next(calls) >= number:
            raise Killed
        return real(self, target)

    monkeypatch.setattr(Path, "rename", dying)
    with pytest.raises(Killed):
        converted(tiny, tmp_path / "b", force=True)
    monkeypatch.undo()
    if any(each.suffix == ".bin" for each in (tmp_path / "b").iterdir()):
        for path in (tmp_path / "b").glob("*.bin"):
            try:
                with fourcc.ModelFile(path) as model:
                    assert model.digest.hex()
            except fourcc.FourccError:
                continue
    converted(tiny, tmp_path / "b", resume=True, force=True)
    assert fourcc.verify(tmp_path / "b" / "m.index.json") == ()
    left = {name: data for name, data in contents(tmp_path / "b").items() if not name.endswith(".fourcc-tmp")}
    assert left == contents(tmp_path / "a")
