"""The temporary file of a conversion: where it lies, and what is said where there is no room."""

import os
from contextlib import ExitStack
from pathlib import Path

import pytest

from fourcc.errors import OutputError
from fourcc.models import temporary
from fourcc.models.opening import open_to_run

LINE = "{id} 25 {device} / {folder} rw,relatime shared:1 - {kind} none rw,size=1024k\n"


@pytest.fixture
def tiny(root: Path) -> Path:
    """The shipped model."""
    return root / "fourcc" / "example" / "tiny.bin"


def mounts(path: Path, kind: str) -> Path:
    """A table of mounts in which the file's folder is one of its own."""
    device = path.stat().st_dev
    number = f"{os.major(device)}:{os.minor(device)}"
    other = LINE.format(id=1, device="0:0", folder="/", kind="tmpfs")
    table = path / "mounts"
    table.write_text(other + LINE.format(id=2, device=number, folder=path, kind=kind))
    return table


@pytest.mark.parametrize(("kind", "lies"), [("tmpfs", True), ("ramfs", True), ("ext4", False), ("overlay", False)])
def test_folders_in_memory(tmp_path: Path, kind: str, *, lies: bool) -> None:
    """The kind of the file system of the folder's device decides."""
    assert temporary.lies_in_memory(tmp_path, mounts(tmp_path, kind)) is lies
    assert not temporary.lies_in_memory(tmp_path, tmp_path / "none")


def test_a_ram_disk_is_noted(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The note has size, folder and the way out, and comes only for large files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(temporary, "lies_in_memory", lambda _: True)
    with ExitStack() as stack:
        assert open_to_run(tiny, stack)[1] == ()
    monkeypatch.setattr(temporary, "WORTH_A_NOTE", 1 << 20)
    with ExitStack() as stack:
        _, (note,) = open_to_run(tiny, stack)
    expected = f"the converted model takes 1 MiB of memory: {tmp_path} is a RAM disk. TMPDIR=FOLDER says where"
    assert note == f"{expected} temporary files go."


def test_too_little_room_is_said_beforehand(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No byte is written."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000})())
    with ExitStack() as stack, pytest.raises(OutputError) as caught:
        open_to_run(tiny, stack)
    said = str(caught.value)
    assert said.startswith(f"{tmp_path / 'temporary model'}: not enough space on the disk: found 1000 bytes free")
    assert said.endswith("TMPDIR=FOLDER says where temporary files go.")
    assert list(tmp_path.iterdir()) == []


def test_the_file_has_no_name(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file exists as long as the model is open."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with ExitStack() as stack:
        model, _ = open_to_run(tiny, stack)
        assert list(tmp_path.iterdir()) == []
        assert model["norm"].decode().shape == (96,)
        fd = model.file.files[0].fd
        assert (model.path, os.fstat(fd).st_size) == (tiny, model.file.size)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
