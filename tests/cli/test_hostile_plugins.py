"""Packages whose import hangs, crashes, ends its process or writes to stdout: no command that tries all is hurt."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from fourcc.plugins.entries import EXPORTERS, FORMATS, SOURCES
from tests.cli.making import Run
from tests.sources.writers import gguf, written

GOOD = """
import os
os.write(1, b"written on import")
from fourcc import Format, ExportKind, Layout, Policy, Source, SourceKind, SourceTensor, per_weight
FORMAT = Format(tag="Writ", summary="numbers", block=1, parts=(per_weight("v", "<f4"),),
    encode=lambda blocks: {"v": blocks.w}, decode=lambda parts, geom: parts["v"])
SOURCE = SourceKind("writ", lambda path, head: False, None)
EXPORTER = ExportKind("writ", "one", ".writ", lambda *_: True, None)
"""
HOSTILE = {  # the tag of a format -> the module, and why it cannot be used
    "Hang": ("import time\ntime.sleep(600)", "it did not end within 6 seconds"),
    "Segf": ("import ctypes\nctypes.string_at(0)", "it was killed by SIGSEGV"),
    "Exit": ("import os\nos._exit(7)", "it ended with exit code 7"),
    "Sysx": ("import sys\nsys.exit('bye')", "SystemExit: bye"),
    "Deep": ("def deep(): deep()\ndeep()", "RecursionError: maximum recursion depth exceeded"),
    "Writ": (GOOD, None),
}
LIMITED = "import sys, fourcc.plugins.apart as a; a.LIMIT = {}; from fourcc.cli.app import main; sys.exit(main())"


def install(folder: Path, tags: Iterator[str] | list[str]) -> dict[str, str]:
    """Installs packages that declare a format, a source and an exporter each; gives the environment."""
    for tag in tags:
        name = tag.lower()
        info = folder / f"fourcc_{name}-1.0.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: fourcc-{name}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            f"[{FORMATS}]\n{tag} = fourcc_{name}:FORMAT\n[{SOURCES}]\n{name} = fourcc_{name}:SOURCE\n"
            f"[{EXPORTERS}]\n{name} = fourcc_{name}:EXPORTER\n"
        )
        (folder / f"fourcc_{name}.py").write_text(HOSTILE[tag][0])
    return {**os.environ, "PYTHONPATH": str(folder)}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment in which all of them are installed."""
    return install(tmp_path_factory.mktemp("hostile"), list(HOSTILE))


def ended(environment: dict[str, str], *arguments: object, limit: float = 6) -> Run:
    """A command in a process of its own, which waits so long for a plugin."""
    command = [sys.executable, "-c", LIMITED.format(limit), *map(str, arguments)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)
    return Run(done.returncode, done.stdout, done.stderr)


def troubles(run: Run, kind: str) -> dict[str, str]:
    """The broken plugins of a kind, each with its reason."""
    return {each["name"].title(): each["reason"] for each in run.document["broken"] if each["kind"] == kind}


def check_reasons(found: dict[str, str]) -> None:
    """Each hostile plugin is listed with what it does; the one that only writes works."""
    assert set(found) == {tag for tag, (_, reason) in HOSTILE.items() if reason is not None}
    for tag, reason in found.items():
        assert str(HOSTILE[tag][1]) in reason, tag


def test_the_list_of_formats(hostile: dict[str, str]) -> None:
    """It has every format that works, and nothing of what plugins write."""
    run = ended(hostile, "formats", "--json")
    assert run.code == 0, run.err
    assert {"F32", "Q8_0", "Writ"} <= {each["tag"] for each in run.document["formats"]}
    check_reasons(troubles(run, "format"))


@pytest.mark.thorough
def test_the_lists_of_files_and_of_what_is_broken(hostile: dict[str, str]) -> None:
    """They hold kinds of files, and the same."""
    run = ended(hostile, "formats", "--files", "--json")
    assert run.code == 0, run.err
    assert {each["kind"] for each in run.document["files"]} >= {"GGUF", "gguf", "writ"}
    for kind in ("source", "exporter"):
        check_reasons(troubles(run, kind))
    run = ended(hostile, "formats", "--broken", "--json")
    for kind in ("format", "source", "exporter"):
        check_reasons(troubles(run, kind))


@pytest.mark.thorough
@pytest.mark.parametrize("tag", HOSTILE)
def test_one_that_is_asked_for(hostile: dict[str, str], tag: str) -> None:
    """Its error says what happened, in the listing's words and in the kit's."""
    reason = HOSTILE[tag][1]
    run = ended(hostile, "formats", tag)
    assert run.code == (5 if reason else 0)
    assert (reason or "provided by      fourcc-writ 1.0") in run.out + run.err
    assert "written on import" not in run.out
    if reason is not None:
        run = ended(hostile, "plugin", "test", tag)
        assert run.code == 1
        assert reason in " ".join(run.out.split())


@pytest.mark.thorough
def test_commands_that_try_all(hostile: dict[str, str], tiny: Path, tmp_path: Path) -> None:
    """Suggestions, files of an unknown layout, files that nothing recognises, outputs of an unknown suffix."""
    run = ended(hostile, "stats", tiny, "--suggest", "--min-sqnr", "40", "--json", "--include", "*.wq")
    assert run.code == 0, run.err
    assert "Writ" in run.out
    odd = written(tmp_path, "m.gguf", gguf([], [("a", (32,), 0, bytes(128)), ("b", (256,), 99, bytes(66))]))
    run = ended(hostile, "inspect", odd, "--json")
    assert run.code == 0, run.err
    assert run.document
    (tmp_path / "odd").write_bytes(b"\x01\x02\xff")
    run = ended(hostile, "inspect", tmp_path / "odd")
    assert (run.code, run.out) == (3, "")
    assert "hang of fourcc-hang 1.0 (imported in a process of its own, it did not end within 6 seconds)" in run.err
    run = ended(hostile, "export", tiny, "-o", tmp_path / "m.odd")
    assert (run.code, run.out) == (2, "")
    assert "exit of fourcc-exit 1.0 cannot be used: imported in a process of its own, it ended with" in run.err


@pytest.mark.thorough
def test_commands_that_try_none(hostile: dict[str, str], tiny: Path, tmp_path: Path) -> None:
    """They import no plugin, so that they do not wait: the limit here is longer than the test may take."""
    model = tmp_path / "model.bin"
    np.save(tmp_path / "w.npy", np.ones(3))
    for arguments in (
        ["convert", tiny, "-o", model, "--format", "Q8_0,F16", "-q"],
        ["inspect", model],
        ["verify", model],
        ["diff", model, model],
        ["extract", model, "norm", "-o", tmp_path / "norm.npy"],
        ["export", model, "-o", tmp_path / "m.gguf", "--as", "F16", "-q"],
        ["inspect", tmp_path / "m.gguf"],
        ["stats", tmp_path / "m.gguf"],
        ["formats", "Q8_0"],
    ):
        unmarked = tiny in arguments  # plugins are asked before a file's kind is guessed
        run = ended(hostile, *arguments, limit=6 if unmarked else 1000)
        assert run.code == 0, (arguments, run.err)
        assert "written on import" not in run.out + run.err or unmarked


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signals_are_obeyed_meanwhile(tmp_path: Path, number: signal.Signals, code: int) -> None:
    """The command ends at once, and the process that hangs with it."""
    environment = install(tmp_path, ["Hang"])
    mark = tmp_path / "started"
    module = tmp_path / "fourcc_hang.py"
    module.write_text(f"import os\nopen({str(mark)!r}, 'w').write(str(os.getpid()))\n{module.read_text()}")
    command = [sys.executable, "-m", "fourcc", "formats"]
    piped = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(command, env=environment, preexec_fn=heeded, **piped)  # noqa: PLW1509 - no threads here
    until(lambda: mark.exists() and mark.read_text() != "")
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == code
    child = int(mark.read_text())
    assert child != process.pid
    until(lambda: not Path(f"/proc/{child}").exists())


def heeded() -> None:
    """Obeys signals that tests in the background would ignore."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def until(holds: Callable[[], bool]) -> None:
    """Waits until something holds, a minute at most."""
    for _ in range(600):
        if holds():
            return
        time.sleep(0.1)
    pytest.fail("it never came")
