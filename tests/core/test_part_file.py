"""The part file and the part folder: names, locks, modes, and what lies in their places."""

import errno
import os
import stat
from pathlib import Path

import pytest

from fourcc.errors import OutputError, UsageError
from fourcc.files.part_file import PartFile, check_output
from fourcc.files.part_folder import PartFolder
from fourcc.files.unfinished import beside

FACTS = {"work": "test", "units": 2}


def written(target: Path, data: bytes = b"new", *, force: bool = False) -> None:
    """Writes a file as a conversion does."""
    with PartFile(check_output(target, (), force=force), FACTS, anew=force) as out:
        out.write_at(0, data)
        out.add("a", {})


@pytest.mark.parametrize("name", ["model.bin", "m" * 250, "ü" * 120, " with\nodd -name", "-o"])
def test_names(tmp_path: Path, name: str) -> None:
    """The part and the journal lie beside the output; names that would be too long differ all the same."""
    target = tmp_path / name
    with pytest.raises(KeyboardInterrupt), PartFile(target, FACTS) as out:  # noqa: PT012 - the block is what is tested
        out.write_at(0, b"x")
        out.add("a", {})
        raise KeyboardInterrupt
    assert set(tmp_path.iterdir()) == {beside(target, ".part"), beside(target, ".journal")}
    assert beside(target, ".part") != beside(tmp_path / f"{name[:-1]}x", ".part")
    written(target, force=True)
    assert list(tmp_path.iterdir()) == [target]


def test_mode_and_owner_of_a_replaced_file(tmp_path: Path) -> None:
    """As for every output: it keeps its mode, and so does the part, which nobody else may read meanwhile."""
    target = tmp_path / "model.bin"
    target.write_bytes(b"old")
    target.chmod(0o640)
    with PartFile(target, FACTS, anew=True) as out:
        out.write_at(0, b"new")
        assert stat.S_IMODE(beside(target, ".part").stat().st_mode) == 0o640
    assert (target.read_bytes(), stat.S_IMODE(target.stat().st_mode)) == (b"new", 0o640)


def test_an_output_for_reading_only(tmp_path: Path) -> None:
    """Its part can be gone on with, and becomes what it was."""
    target = tmp_path / "model.bin"
    target.write_bytes(b"old")
    target.chmod(0o444)
    with PartFile(target, FACTS, anew=True) as out:
        assert stat.S_IMODE(out.path.stat().st_mode) == 0o644
        assert stat.S_IMODE(beside(target, ".journal").stat().st_mode) == 0o600
    assert stat.S_IMODE(target.stat().st_mode) == 0o444


def test_mode_of_a_new_file(tmp_path: Path) -> None:
    """The umask's."""
    before = os.umask(0o027)
    try:
        written(tmp_path / "model.bin")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "model.bin").stat().st_mode) == 0o640


@pytest.mark.parametrize("kind", ["folder", "pipe", "link"])
def test_something_else_in_the_place_of_the_part(tmp_path: Path, kind: str) -> None:
    """It is refused, and stays."""
    part, other = tmp_path / "model.bin.part", tmp_path / "other"
    other.write_bytes(b"mine")
    if kind == "folder":
        part.mkdir()
    elif kind == "pipe":
        os.mkfifo(part)
    else:
        part.symlink_to(other)
    with pytest.raises(OutputError, match=r"model\.bin\.part: "):
        written(tmp_path / "model.bin", force=True)
    assert other.read_bytes() == b"mine"
    assert os.path.lexists(part)


def test_a_symbolic_link_is_written_through(tmp_path: Path) -> None:
    """The part lies beside the file that the link leads to, as it will be renamed there."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "model.bin").symlink_to(tmp_path / "disk" / "real.bin")
    target = check_output(tmp_path / "model.bin", (), force=False)
    with pytest.raises(KeyboardInterrupt), PartFile(target, FACTS) as out:  # noqa: PT012 - the block is what is tested
        out.write_at(0, b"x")
        out.add("a", {})
        raise KeyboardInterrupt
    assert {path.name for path in (tmp_path / "disk").iterdir()} == {"real.bin.part", "real.bin.journal"}


def test_a_reader_that_is_the_part(tmp_path: Path) -> None:
    """A file that is read may lie neither in the part's place, nor in the journal's, by whatever path."""
    for name in ("model.bin.part", "model.bin.journal"):
        (tmp_path / name).write_bytes(b"")
        (tmp_path / "link").symlink_to(tmp_path / name)
        for source in (tmp_path / name, tmp_path / "link"):
            with pytest.raises(UsageError, match="this input is where unfinished work would be kept"):
                check_output(tmp_path / "model.bin", [source], force=True)
        (tmp_path / "link").unlink()
        (tmp_path / name).unlink()


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It works all the same."""

    def refuse(_: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fourcc.files.write.lock", refuse)
    written(tmp_path / "model.bin")
    with PartFolder(tmp_path / "out", FACTS) as folder:
        (folder.path / "a").write_bytes(b"a")
    assert {path.name for path in tmp_path.iterdir()} == {"model.bin", "out"}


def test_two_folders_at_once(tmp_path: Path) -> None:
    """The second is refused."""
    with PartFolder(tmp_path / "out", FACTS) as folder:
        (folder.path / "a").write_bytes(b"a")
        with pytest.raises(UsageError, match="out: another run is writing this output"):
            PartFolder(tmp_path / "out", FACTS, anew=True).__enter__()
    assert (tmp_path / "out" / "a").read_bytes() == b"a"


def test_a_folder_that_nobody_s_journal_explains(tmp_path: Path) -> None:
    """It stays, with what is in it."""
    (tmp_path / "out.part").mkdir()
    (tmp_path / "out.part" / "notes").write_text("mine")
    with pytest.raises(UsageError, match="no journal belongs to it"):
        PartFolder(tmp_path / "out", FACTS, anew=True).__enter__()
    assert (tmp_path / "out.part" / "notes").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_whose_home_may_not_be_written_to(tmp_path: Path) -> None:
    """The part then lies in the folder itself."""
    (tmp_path / "out").mkdir()
    tmp_path.chmod(0o500)
    try:
        with PartFolder(tmp_path / "out", FACTS) as folder:
            (folder.path / "a").write_bytes(b"a")
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["a"]
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_on_a_disk_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The part lies in it, and its files are moved within that disk."""
    monkeypatch.setattr("fourcc.files.unfinished._apart", lambda _: True)
    (tmp_path / "out").mkdir()
    with PartFolder(tmp_path / "out", FACTS) as folder:
        (folder.path / "a").write_bytes(b"a")
        assert folder.path == tmp_path / "out" / "out.part"
    assert [str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*")] == ["out", "out/a"]
