"""Writing files: the name stands for the old contents or the new ones, whatever goes wrong."""

import errno
import fcntl
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fourcc.errors import OutputError, UsageError
from fourcc.files import descriptors
from fourcc.files.write import AtomicFile, check_space, check_target

OLD, NEW = b"old contents", b"new contents, longer"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A name in an empty folder."""
    return tmp_path / "model.bin"


@pytest.fixture
def old(target: Path) -> Path:
    """The target, with a file there."""
    target.write_bytes(OLD)
    return target


def write_file(path: Path, data: bytes, *, force: bool) -> None:
    """Writes a whole small file, as the commands do."""
    with AtomicFile(check_target(path, (), force=force)) as out:
        out.write_at(0, data)


def alone(path: Path) -> bool:
    """Whether nothing else lies in its folder."""
    return list(path.parent.iterdir()) == [path]


def test_new_file(target: Path) -> None:
    """The file has its name only once the block is left."""
    with AtomicFile(target) as out:
        out.write_at(4, b"later")
        out.write_at(0, b"head")
        assert not target.exists()
        assert out.size == 9
    assert target.read_bytes() == b"headlater"
    assert alone(target)


def test_skipped_bytes_read_as_zero(target: Path) -> None:
    """Padding need not be written."""
    with AtomicFile(target) as out:
        out.write_at(64, b"x")
        out.write_at(0, b"")
    assert target.read_bytes() == bytes(64) + b"x"


def test_existing_output_is_refused(old: Path) -> None:
    """G8: without `force`; the text says what replaces it."""
    with pytest.raises(UsageError) as caught:
        check_target(old, (), force=False)
    assert str(caught.value) == f"{old}: the output exists. --force replaces it."
    assert caught.value.exit_code == 2
    assert check_target(old, (), force=True) == old


def test_missing_folder(tmp_path: Path) -> None:
    """It is not made on the way; a file is no folder."""
    with pytest.raises(OutputError) as caught:
        check_target(tmp_path / "none" / "m", (), force=True)
    assert str(caught.value) == f"{tmp_path / 'none'}: the folder does not exist. Create it first."
    assert caught.value.exit_code == 4
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="the folder does not exist"):
        check_target(tmp_path / "file" / "m", (), force=True)


@pytest.mark.parametrize("link", ["same", "symbolic", "hard"])
def test_input_is_not_overwritten(old: Path, link: str) -> None:
    """G10: by whatever name, even with `force`."""
    source = old.with_name("source")
    if link == "symbolic":
        source.symlink_to(old)
    elif link == "hard":
        source.hardlink_to(old)
    else:
        source = old
    with pytest.raises(UsageError) as caught:
        check_target(old, [source], force=True)
    assert str(caught.value) == f"{old}: input and output are the same file. Write to another name."


def test_symbolic_link_is_written_through(tmp_path: Path) -> None:
    """G9: the file that it leads to is replaced, in its own folder; the link stays."""
    (tmp_path / "disk").mkdir()
    real, link = tmp_path / "disk" / "real", tmp_path / "link"
    real.write_bytes(OLD)
    link.symlink_to(real)
    write_file(link, NEW, force=True)
    assert link.is_symlink()
    assert real.read_bytes() == NEW
    assert alone(real)


def test_dangling_link_is_written_through(tmp_path: Path) -> None:
    """G9: the file appears where the link points; a link into nowhere is an error."""
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_file(tmp_path / "link", NEW, force=False)
    assert (tmp_path / "real").read_bytes() == NEW
    (tmp_path / "lost").symlink_to(tmp_path / "none" / "real")
    with pytest.raises(OutputError, match="the folder does not exist"):
        write_file(tmp_path / "lost", NEW, force=False)


def test_hard_link_keeps_the_old_bytes(old: Path) -> None:
    """G9: under its other name."""
    other = old.with_name("other")
    other.hardlink_to(old)
    write_file(old, NEW, force=True)
    assert (old.read_bytes(), other.read_bytes()) == (NEW, OLD)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """G9: a folder, a FIFO, a device; none is opened, even with `force`."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/null")):
        with pytest.raises(OutputError) as caught:
            check_target(path, (), force=True)
        assert str(caught.value) == f"{path}: the output exists and is no regular file"


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_mode_of_a_new_file_is_the_umask_s(target: Path, umask: int) -> None:
    """G8: as any new file's; not 0600."""
    before = os.umask(umask)
    try:
        write_file(target, NEW, force=False)
    finally:
        os.umask(before)
    assert stat.S_IMODE(target.stat().st_mode) == 0o666 & ~umask


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444, 0o755])
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_mode_of_a_replaced_file_is_kept(old: Path, umask: int, mode: int) -> None:
    """M9: what was private stays so, and what was shared stays so; while it is written nobody else sees it."""
    old.chmod(mode)
    before = os.umask(umask)
    try:
        with AtomicFile(check_target(old, (), force=True)) as out:
            out.write_at(0, NEW)
            (temporary,) = set(old.parent.iterdir()) - {old}
            assert stat.S_IMODE(temporary.stat().st_mode) == mode
    finally:
        os.umask(before)
    assert stat.S_IMODE(old.stat().st_mode) == mode
    assert old.read_bytes() == NEW


def test_rights_beyond_reading_and_writing_are_not_passed_on(old: Path) -> None:
    """M9: a new file takes nobody else's identity when it is run."""
    old.chmod(0o6755)
    write_file(old, NEW, force=True)
    assert stat.S_IMODE(old.stat().st_mode) == 0o755


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owner_of_a_replaced_file_is_kept(old: Path) -> None:
    """M9: as far as the system allows it."""
    os.chown(old, 1234, 5678)
    write_file(old, NEW, force=True)
    assert (old.stat().st_uid, old.stat().st_gid) == (1234, 5678)


def test_owner_that_cannot_be_kept(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """M9: then the group's rights do not go to another group, unless everybody has them."""
    old.chmod(0o664)
    if os.geteuid() == 0:
        os.chown(old, 1234, 5678)

    def refuse(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    write_file(old, NEW, force=True)
    kept = old.stat().st_gid == 5678
    assert stat.S_IMODE(old.stat().st_mode) == (0o664 if kept or os.geteuid() else 0o644)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_folder_that_cannot_be_flushed(target: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """L1: an error of the disk counts: the name may be gone after a power cut."""
    real = os.fsync

    def flush(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(number, os.strerror(number))
        real(fd)

    monkeypatch.setattr(os, "fsync", flush)
    with pytest.raises(OutputError, match=f"model.bin: cannot finish the output: {os.strerror(number)}"):
        write_file(target, NEW, force=False)
    assert target.read_bytes() == NEW
    assert alone(target)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
def test_a_file_system_without_flushes_of_folders(target: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """L1: that it cannot be done is no error."""
    real = os.fsync

    def flush(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(number, os.strerror(number))
        real(fd)

    monkeypatch.setattr(os, "fsync", flush)
    write_file(target, NEW, force=False)
    assert target.read_bytes() == NEW


def test_the_current_folder_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """M8: the message says so, and names the output."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(OutputError, match=r"out\.bin: the current folder is gone, so a relative path leads nowhere"):
        check_target(Path("out.bin"), (), force=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_exception_leaves_nothing(old: Path, error: type[BaseException]) -> None:
    """However the block ends, the old file stays and the temporary one is removed."""
    with pytest.raises(error), AtomicFile(old) as out:  # noqa: PT012 - the block is what is tested
        out.write_at(0, NEW)
        raise error
    assert old.read_bytes() == OLD
    assert alone(old)


def fail_at(number: int, code: int) -> Callable[..., None]:
    """A function that raises at its n-th call."""
    calls = 0

    def check() -> None:
        nonlocal calls
        calls += 1
        if calls == number:
            raise OSError(code, os.strerror(code))

    return check


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EDQUOT, errno.EFBIG])
@pytest.mark.parametrize(
    ("call", "number", "verb"),
    [
        ("pwrite", 1, "write"),
        ("pwrite", 3, "write"),
        ("fsync", 1, "finish"),
        ("replace", 1, "finish"),
        ("open", 1, "create"),
    ],
)
def test_failing_calls(
    old: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, verb: str, code: int
) -> None:
    """G1, G2: at every step; the message names output, step and reason, the old file is bit for bit the same."""
    check, real = fail_at(number, code), getattr(os, call)

    def failing(*args: object, **named: object) -> object:
        check()
        return real(*args, **named)

    monkeypatch.setattr(os, call, failing)
    with pytest.raises(OutputError) as caught, AtomicFile(old) as out:  # noqa: PT012 - the block is what is tested
        for at in range(4):
            out.write_at(5 * at, NEW[:5])
    monkeypatch.undo()
    assert str(caught.value) == f"{old}: cannot {verb} the output: {os.strerror(code)}"
    assert isinstance(caught.value.__cause__, OSError)
    assert old.read_bytes() == OLD
    assert alone(old)


def test_folder_that_cannot_be_flushed(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """G14: some file systems cannot; the file is there all the same."""
    real = os.fsync

    def fsync(fd: int) -> None:
        if stat.S_ISDIR(os.fstat(fd).st_mode):
            raise OSError(errno.EINVAL, "no")
        real(fd)

    monkeypatch.setattr(os, "fsync", fsync)
    write_file(target, NEW, force=False)
    assert target.read_bytes() == NEW


def test_file_is_flushed_before_it_is_renamed(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """G6: and the folder after it."""
    calls: list[str] = []
    real_sync, real_replace = os.fsync, os.replace

    def fsync(fd: int) -> None:
        calls.append("folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else "file")
        real_sync(fd)

    def replace(source: str, to: str) -> None:
        calls.append("rename")
        real_replace(source, to)

    monkeypatch.setattr(os, "fsync", fsync)
    monkeypatch.setattr(os, "replace", replace)
    write_file(target, NEW, force=False)
    assert calls == ["file", "rename", "folder"]


@pytest.mark.parametrize("most", [1, 3])
def test_short_writes(target: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """G3: the system may take a byte at a time."""
    real = os.pwrite
    monkeypatch.setattr(os, "pwrite", lambda fd, data, offset: real(fd, data[:most], offset))
    write_file(target, NEW, force=False)
    assert target.read_bytes() == NEW


def test_write_of_nothing_is_an_error(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """G3: rather than a loop without end."""
    monkeypatch.setattr(os, "pwrite", lambda *_: 0)
    with pytest.raises(OutputError, match="nothing was written"):
        write_file(target, NEW, force=False)
    assert list(target.parent.iterdir()) == []


def test_long_writes_are_cut(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """G3: Linux takes at most 2 GiB - 4 KiB at once."""
    assert descriptors.LONGEST <= 2_147_479_552
    monkeypatch.setattr(descriptors, "LONGEST", 7)
    write_file(target, NEW, force=False)
    assert target.read_bytes() == NEW


def test_free_space_is_checked(target: Path) -> None:
    """It is checked before the first byte is written; the message has both numbers."""
    check_space(target, 1)
    with pytest.raises(
        OutputError, match=r"not enough space on the disk: found \d+ bytes free, expected 1152921504607895552"
    ):
        check_space(target, 1 << 60)


@pytest.fixture
def temporary(target: Path) -> Iterator[Path]:
    """The files that a killed run to the target leaves behind."""
    with AtomicFile(target) as out:
        out.write_at(0, NEW)
        (found,) = target.parent.iterdir()
        name = found.name
    target.unlink()
    found = target.with_name(name)
    found.write_bytes(b"half a fi")
    yield found
    found.unlink(missing_ok=True)


def test_dead_run_s_file_is_removed(target: Path, temporary: Path) -> None:
    """G13: by the next run to the same name."""
    write_file(target, NEW, force=False)
    assert not temporary.exists()
    assert alone(target)


def test_living_run_s_file_is_kept(target: Path, temporary: Path) -> None:
    """G13: its lock says that the writer lives."""
    with temporary.open("r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        write_file(target, NEW, force=False)
        assert temporary.read_bytes() == b"half a fi"


def test_other_target_s_file_is_kept(target: Path, temporary: Path) -> None:
    """A file that only looks like a temporary one is kept, too."""
    mine = target.with_name(f".{target.name}.notes")
    mine.write_bytes(b"mine")
    write_file(target.with_name("other.bin"), NEW, force=False)
    assert temporary.exists()
    write_file(target, NEW, force=False)
    assert mine.read_bytes() == b"mine"


def test_killed_run(target: Path) -> None:
    """G5: SIGKILL in the middle leaves the old file, and the next run clears up."""
    target.write_bytes(OLD)
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom fourcc.files.write import AtomicFile\n"
        "with AtomicFile(Path(sys.argv[1])) as out:\n"
        "    out.write_at(0, b'half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    run = subprocess.run([sys.executable, "-c", code, str(target)], check=False)
    assert run.returncode == -signal.SIGKILL
    assert target.read_bytes() == OLD
    assert len(list(target.parent.iterdir())) == 2
    write_file(target, NEW, force=True)
    assert alone(target)


def test_two_writers_at_once(target: Path) -> None:
    """H1: neither sees the other's temporary file; the last to finish wins, whole."""
    with AtomicFile(target) as slow:
        slow.write_at(0, OLD)
        write_file(target, NEW, force=True)
        assert target.read_bytes() == NEW
    assert target.read_bytes() == OLD
    assert alone(target)


def test_many_writers(target: Path) -> None:
    """H1: sixteen of them; every reader in between sees one of the contents, whole."""
    contents = [bytes([n]) * 50_000 for n in range(16)]
    threads = [threading.Thread(target=write_file, args=(target, data), kwargs={"force": True}) for data in contents]
    for thread in threads:
        thread.start()
    seen = {target.read_bytes() for _ in range(50) if target.exists()}
    for thread in threads:
        thread.join()
    assert seen <= set(contents)
    assert target.read_bytes() in contents
    assert alone(target)


@pytest.mark.parametrize("name", ["x" * 240, "é" * 120, "模" * 80, " with\nodd -name", "-o"])
def test_odd_and_long_names(tmp_path: Path, name: str) -> None:
    """G12: the temporary file's name has room, too."""
    write_file(tmp_path / name, NEW, force=False)
    assert (tmp_path / name).read_bytes() == NEW


def test_name_that_is_no_text(tmp_path: Path) -> None:
    """G12: bytes that are not UTF-8."""
    path = tmp_path / os.fsdecode(b"\xff\xfe")
    write_file(path, NEW, force=False)
    assert path.read_bytes() == NEW


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_unwritable_folder(tmp_path: Path) -> None:
    """G4: the message says what could not be done."""
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="cannot create the output: Permission denied"):
            write_file(tmp_path / "m", NEW, force=False)
    finally:
        tmp_path.chmod(0o700)


def test_folder_that_vanishes(tmp_path: Path) -> None:
    """G11: between the check and the writing."""
    folder = tmp_path / "folder"
    folder.mkdir()
    target = check_target(folder / "m", (), force=False)
    folder.rmdir()
    with pytest.raises(OutputError, match="cannot create the output: No such file or directory"):
        AtomicFile(target).__enter__()
