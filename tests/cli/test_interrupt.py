"""Ctrl-C from the start of the process on, and while kernels are compiled."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fourcc.kernels.compiler.interruptible import interruptible, left_running

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as Linux and macOS have them")
WAITING = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a test that runs in the background ignores it
{before}
sys.argv = ["fourcc", "formats"]
from fourcc.__main__ import main
sys.exit(main())
"""


def interrupted(command: list[str], seconds: float) -> tuple[int, str]:
    """The exit code and stderr of a command that gets SIGINT after a while."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a child ignores what its parent ignores
    begun = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    signal.signal(signal.SIGINT, before)
    with begun:
        time.sleep(seconds)
        begun.send_signal(signal.SIGINT)
        err = begun.communicate(timeout=60)[1]
    return begun.returncode, err


def test_a_sweep_of_moments(root: Path) -> None:
    """Whenever it comes: what Python reports before our first line is its own; no line of ours is in a traceback."""
    for moment in range(0, 300, 25):
        code, err = interrupted([sys.executable, "-m", "fourcc", "formats"], moment / 1000)
        assert str(root / "fourcc") not in err, err
        assert "Traceback" not in err or "<frozen" in err, err
        assert code in {0, 1, -signal.SIGINT, 130}, err


@pytest.mark.parametrize("module", ["signal", "fourcc.cli.app", "typer"])
def test_while_it_imports(module: str) -> None:
    """An interrupt within any import of ours is one line, with exit code 130."""
    before = (
        "import builtins, os\n"
        "real = builtins.__import__\n"
        f"def slow(name, *rest):\n    if name == {module!r}: os.kill(os.getpid(), signal.SIGINT)\n"
        "    return real(name, *rest)\n"
        "builtins.__import__ = slow\n"
    )
    code = WAITING.format(before=before)
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (130, "", "fourcc: interrupted\n")


def test_a_compiler_is_not_waited_for() -> None:
    """The process ends at once, though the work, in C, cannot be stopped."""
    before = (
        "import ctypes, threading, time\n"
        "from fourcc.cli.render import plan_table\n"
        "import fourcc.cli.formats as formats\n"
        "from fourcc.kernels.compiler.interruptible import interruptible\n"
        "sleep = ctypes.CDLL(None).sleep\n"
        "def compiles(*_, **__):\n"
        "    threading.Timer(0.3, lambda: signal.raise_signal(signal.SIGINT)).start()\n"
        "    interruptible(lambda: [sleep(1) for _ in range(30)])\n"
        "formats.survey = compiles\n"
    )
    began = time.monotonic()
    ended = subprocess.run(
        [sys.executable, "-c", WAITING.format(before=before)], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stderr) == (130, "fourcc: interrupted\n")
    assert time.monotonic() - began < 20


def test_interruptible_work_gives_what_it_gives() -> None:
    """A result, or an exception; nothing is left running."""
    assert interruptible(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 // 0)
    assert not left_running()
