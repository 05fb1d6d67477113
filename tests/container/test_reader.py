"""Readers: files that are cut, changed or replaced while open; many threads; memory."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from fourcc.container.reader import ModelFile
from fourcc.encoding import encode
from fourcc.errors import IndexDamageError, UsageError
from fourcc.files.read import ReadFile
from tests.container.build import assorted, normal, write_model
from tests.container.forge import seal


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small file."""
    return write_model(tmp_path / "m", {"w": encode(normal(64, 64), "F32")}, {"note": b"hello"})


def test_file_cut_after_opening(model: Path) -> None:
    """C11, G17: ordinary reads say where it ends; a tensor is refused before it is mapped."""
    with ModelFile(model) as opened:
        os.truncate(model, 1000)
        with pytest.raises(IndexDamageError) as caught:
            opened.file.read(64, 64 * 64 * 4)
        assert str(caught.value) == (
            f"{model}, byte 1000: the file ends too early, expected {64 + 64 * 64 * 4 - 1000} more bytes"
        )
        with pytest.raises(IndexDamageError) as caught:
            opened["w"]
        assert str(caught.value) == f"{model}: the file changed since it was opened. Open it again."
        with pytest.raises(IndexDamageError):
            opened.blob("note")


def test_file_emptied_after_opening(model: Path) -> None:
    """An empty file cannot be mapped at all."""
    with ModelFile(model) as opened:
        os.truncate(model, 0)
        with pytest.raises(IndexDamageError, match="the file changed"):
            opened["w"]


def test_file_written_to_after_opening(model: Path) -> None:
    """C11: the same length, another time of change."""
    with ModelFile(model) as opened:
        os.utime(model, ns=(1, 1))
        with pytest.raises(IndexDamageError, match="the file changed"):
            opened["w"]


def test_file_replaced_after_opening(model: Path) -> None:
    """H2: an open reader keeps what it opened, whole; a new one sees the new file."""
    with ModelFile(model) as old:
        expected = old["w"].decode()
        write_model(model, {"w": encode(normal(64, 64, seed=1), "F32")}, {"note": b"other"})
        assert np.array_equal(old["w"].decode(), expected)
        assert old.blob("note") == b"hello"
        with ModelFile(model) as new:
            assert not np.array_equal(new["w"].decode(), expected)
            assert new.blob("note") == b"other"
    model.unlink()


def test_views_outlive_the_file(model: Path) -> None:
    """H5: closing and unlinking take nothing from a view."""
    with ModelFile(model) as opened:
        q = opened["w"]
        expected = q.decode()
    model.unlink()
    assert np.array_equal(q.decode(), expected)


def test_closed_file(model: Path) -> None:
    """Closing twice is harmless; asking for a tensor or a blob afterwards is an error, what the index says is not."""
    opened = ModelFile(model)
    opened.close()
    opened.close()
    assert opened.record("w").shape == (64, 64)
    for ask in (lambda: opened["w"], lambda: opened.blob("note")):
        with pytest.raises(UsageError) as caught:
            ask()
        assert str(caught.value) == f"{model}: the file is closed. Open it again."


def test_unknown_names(model: Path) -> None:
    """The error is a mapping's own KeyError, too."""
    with ModelFile(model) as opened:
        assert "none" not in opened
        for ask in (opened.__getitem__, opened.record, opened.blob):
            with pytest.raises(KeyError):
                ask("none")


def test_threads_share_a_reader(tmp_path: Path) -> None:
    """H4: there is no position to share; every thread sees the same weights."""
    tensors = assorted()
    path = write_model(tmp_path / "m", tensors, {"note": b"hello" * 1000})
    expected = {name: q.decode() for name, q in tensors.items()}
    start = threading.Barrier(8)
    with ModelFile(path) as model:

        def work(_: int) -> bool:
            start.wait()
            same = all(np.array_equal(model[name].decode(), w) for _ in range(10) for name, w in expected.items())
            return same and model.blob("note") == b"hello" * 1000

        with ThreadPoolExecutor(8) as pool:
            assert all(pool.map(work, range(8)))


def test_reading_after_a_fork(model: Path) -> None:
    """H4: a child process reads on its own; no shared position is moved."""
    code = (
        "import os, sys, fourcc\n"
        "model = fourcc.open(sys.argv[1])\n"
        "weights = model['w'].decode()\n"
        "if os.fork() == 0:\n"
        "    os._exit(0 if (model['w'].decode() == weights).all() and model.blob('note') == b'hello' else 1)\n"
        "status = os.wait()[1]\n"
        "sys.exit(status or not (model['w'].decode() == weights).all())\n"
    )
    subprocess.run([sys.executable, "-c", code, str(model)], check=True)


def test_short_reads(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """G3: the system may give one byte at a time."""
    whole = model.read_bytes()
    real = os.preadv
    monkeypatch.setattr(os, "preadv", lambda fd, buffers, offset: real(fd, [buffers[0][:1]], offset))
    file = ReadFile(model)
    assert file.read(10, 300) == whole[10:310]
    file.close()


def test_failing_reads_are_the_system_s_errors(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """G2: EIO comes through as it is, and the descriptor is closed."""

    def fail(*_: object) -> int:
        raise OSError(5, "Input/output error")

    before = os.dup(0)
    os.close(before)
    monkeypatch.setattr(os, "preadv", fail)
    with pytest.raises(OSError, match="Input/output error"):
        ModelFile(model)
    monkeypatch.undo()
    after = os.dup(0)  # the lowest free number
    os.close(after)
    assert after == before


def test_special_files(tmp_path: Path) -> None:
    """A FIFO without a writer does not block; a device is not read."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(IndexDamageError) as caught:
            ModelFile(path)
        assert str(caught.value) == f"{path}: not a regular file"


MEASURE = """
import resource, sys, fourcc
from fourcc.errors import FourccError
import msgpack, mmap
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    fourcc.open(sys.argv[1])
except FourccError:
    pass
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


@pytest.mark.parametrize("filler", [b"\x80", b"\x90", b"\x91\x80", b"\xc0", b"\xa2ab", b"\xcd\x7f\xff", b"\xa5abcde"])
def test_memory_that_a_hostile_index_takes(tmp_path: Path, filler: bytes) -> None:
    """A18: 64 MiB and a small multiple of the index's length, whatever stands in it."""
    count = (16 << 20) // len(filler)
    packed = b"\x81\xa1a\xdd" + count.to_bytes(4, "big") + filler * count
    (tmp_path / "m").write_bytes(seal(packed, b""))
    run = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "m")], capture_output=True, text=True, check=True
    )
    assert int(run.stdout) << 10 < (64 << 20) + 12 * len(packed)
