"""The handler of SIGBUS: the file that it reports, and the cases that it leaves to the system."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fourcc.kernels.signals import bus_error

pytestmark = pytest.mark.skipif(not hasattr(signal, "SIGBUS"), reason="the system has no such signal")

SCRIPT = """
import contextlib, ctypes, mmap, os, sys
from fourcc.kernels.signals import bus_error
PAGES = 4 * mmap.PAGESIZE
def mapped(name):
    with open(os.path.join(sys.argv[1], name), "wb") as file:
        file.write(bytes(PAGES))
    fd = os.open(file.name, os.O_RDWR)
    return fd, mmap.mmap(fd, 0, access=mmap.ACCESS_READ)
one, other = mapped("one"), mapped("other")
def watched(fd, word):
    return bus_error.watched(fd, PAGES, 3, word + b" out", word + b" err")
with watched(one[0], b"one"), watched(other[0], b"other"):
    ACT
BEHIND
print("still there")
"""


def act(folder: Path, code: str, behind: str = "pass") -> tuple[int, str, str]:
    """Exit code and output of a process that runs code within the block, and code after it."""
    script = SCRIPT.replace("ACT", "\n    ".join(code.splitlines())).replace("BEHIND", behind)
    script = script.replace("NUMBER", str(int(signal.SIGBUS)))
    command = [sys.executable, "-c", script, str(folder)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize(("cut", "word"), [("one", "one"), ("other", "other")])
def test_the_file_that_was_cut_is_told_of(tmp_path: Path, cut: str, word: str) -> None:
    """Either file is reported; nothing after the read runs."""
    code = f"os.ftruncate({cut}[0], 0)\n{cut}[1][9]\nprint('read', flush=True)"
    assert act(tmp_path, code) == (3, f"{word} out", f"{word} err")


def test_in_another_thread(tmp_path: Path) -> None:
    """A helper of a thread team may be the one that reads."""
    code = (
        "import threading\nos.ftruncate(other[0], 0)\n"
        "threads = [threading.Thread(target=lambda: other[1][9]) for _ in range(2)]\n"
        "[each.start() for each in threads]\n[each.join() for each in threads]"
    )
    assert act(tmp_path, code) == (3, "other out", "other err")


def test_a_file_that_is_not_watched(tmp_path: Path) -> None:
    """The process dies of the signal: no prepared line would be true."""
    code = "fd, third = mapped('third')\nos.ftruncate(fd, 0)\nthird[9]"
    assert act(tmp_path, code) == (-signal.SIGBUS, "", "")


def test_a_closed_descriptor_is_not_a_cut_file(tmp_path: Path) -> None:
    """The handler does not look at it twice."""
    code = "os.close(one[0])\nos.ftruncate(other[0], 0)\nother[1][9]"
    assert act(tmp_path, code) == (3, "other out", "other err")


def test_the_handler_before_is_given_back(tmp_path: Path) -> None:
    """The handler is installed within the block only."""
    code = "assert bus_error._libc().signal(NUMBER, bus_error._handler()) == bus_error._handler()\n"
    behind = "assert not bus_error._libc().signal(NUMBER, None)"
    assert act(tmp_path, code, behind) == (0, "still there\n", "")


def test_a_file_that_has_grown_again(tmp_path: Path) -> None:
    """The read is tried again, and then returns the new bytes: the file is not reported as cut."""
    code = (
        "os.ftruncate(one[0], 0)\n"
        "bus_error._watched[0] = (one[0], 0, *bus_error._watched[0][2:])\n"  # as if it had its length again
        "bus_error._publish()\n"
        "one[1][9]"
    )
    assert act(tmp_path, code) == (-signal.SIGBUS, "", "")  # it never comes back
    code = "os.ftruncate(one[0], 0)\nos.ftruncate(one[0], PAGES)\nprint(one[1][9])"
    assert act(tmp_path, code) == (0, "0\nstill there\n", "")


def test_without_machine_code_nothing_is_different(monkeypatch: pytest.MonkeyPatch) -> None:
    """The block is entered and left."""
    monkeypatch.setattr(bus_error, "_handler", lambda: None)
    with bus_error.watched(0, 0, 3, b"", b""):
        assert len(bus_error._watched) == 1
    assert bus_error._watched == []
