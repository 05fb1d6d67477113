"""`--resume` of `convert` and `export` on the command line: words after a signal, notes, JSON, `inspect` of a part."""

import errno
import json
import os
import signal
from pathlib import Path

import pytest

from fourcc.conversion import pipeline
from tests.cli.making import Runner

COMMANDS = {
    "convert": ("convert", "tiny.bin", "-o", "out.bin", "--format", "Q8_0,F16"),
    "export": ("export", "tiny.bin", "-o", "out.gguf", "--format", "Q8_0,F16"),
    "quantize": ("quantize", "tiny.bin", "-o", "out.gguf", "--format", "Q8_0,F16"),
    "folder": ("export", "tiny.bin", "-o", "out"),
}


@pytest.fixture(autouse=True)
def folder(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, which holds the shipped model alone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.bin").write_bytes((root / "fourcc" / "example" / "tiny.bin").read_bytes())
    return tmp_path


def signalled(run: Runner, monkeypatch: pytest.MonkeyPatch, command: str, number: int, *more: str) -> tuple[int, str]:
    """Exit code and stderr of a command that gets a signal when its fifth tensor is written."""
    told: list[object] = []

    def tell(*_: object) -> None:
        told.append(None)
        if len(told) == 6:
            os.kill(os.getpid(), number)

    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "tell", tell)
        ended = run(*COMMANDS[command], *more)
    return ended.code, ended.err


@pytest.mark.parametrize(
    ("number", "code", "word"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_signal(
    run: Runner, monkeypatch: pytest.MonkeyPatch, folder: Path, command: str, number: int, code: int, word: str
) -> None:
    """It says how the work goes on, with -q, too, and so it does."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        ended = signalled(run, monkeypatch, command, number, "-q")
    finally:
        signal.signal(signal.SIGINT, before)
    lines = "fourcc: 5 of 38 tensors are done: the same command with --resume goes on\n" + f"fourcc: {word}\n"
    assert ended == (code, lines)
    refused = run(*COMMANDS[command])
    assert refused.code == 2
    assert refused.err.endswith("5 of 38 tensors are done. --resume goes on with it, --force begins anew.\n")
    resumed = run(*COMMANDS[command], "--resume")
    assert resumed.code == 0
    assert "fourcc: note: 5 of 38 tensors were done before\n" in resumed.err
    assert len(list(folder.iterdir())) == 2


def test_json(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notes are in the document, and so is a refusal."""
    with monkeypatch.context() as patched:
        patched.setattr(pipeline, "tell", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        run(*COMMANDS["convert"])
    nothing = run(*COMMANDS["convert"], "--resume", "--json")
    assert json.loads(nothing.out)["notes"][-1] == "there was nothing to resume, so all tensors were written"
    signalled(run, monkeypatch, "convert", signal.SIGTERM, "--force")
    error = json.loads(run(*COMMANDS["convert"], "--force", "--include", "layers.*", "--resume", "--json").out)["error"]
    assert (error["kind"], error["hint"]) == (
        "UsageError",
        "Give --resume with what it began with, or --force to begin anew.",
    )


def test_inspect(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The part is said to be unfinished."""
    for command, name in (("convert", "out.bin"), ("export", "out.gguf"), ("folder", "out")):
        signalled(run, monkeypatch, command, signal.SIGTERM)
        for suffix in (".part", ".journal"):
            looked = run("inspect", f"{name}{suffix}")
            assert looked.code == 3
            assert looked.err == (
                f"fourcc: error: {name}{suffix}: unfinished work, not a model: 5 of 38 tensors are done. "
                f"The command that began {name} goes on with --resume.\n"
            )


def test_a_source_that_cannot_be_read(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk's words, and how the work goes on."""
    told: list[object] = []

    def fail(*_: object) -> None:
        told.append(None)
        if len(told) == 6:
            raise OSError(errno.EIO, os.strerror(errno.EIO), "tiny.bin")

    monkeypatch.setattr(pipeline, "tell", fail)
    ended = run(*COMMANDS["convert"])
    assert ended.code == 4
    assert ended.err == (
        "fourcc: error: tiny.bin: Input/output error\n"
        "5 of 38 tensors are done: the same command with --resume goes on\n"
    )


def test_quantize_with_a_text(run: Runner, folder: Path) -> None:
    """It is refused before any work, with the commands that are resumed."""
    (folder / "a.txt").write_text("One day, a cat sat on a mat. " * 400)
    ended = run(*COMMANDS["quantize"], "--calibration-text", "a.txt", "--resume")
    assert ended.code == 2
    assert ended.err == (
        "fourcc: error: out.gguf: a quantization that measures is not resumed: its calibration and its trials lie in "
        "temporary files. `fourcc calibrate`, `measure` and `convert` do its steps one by one, each with --resume.\n"
    )


def test_a_finished_output(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """There is nothing to go on with, and it says so before it offers to begin again."""
    words = ("convert", tiny, "-o", tmp_path / "model.bin", "--format", "F16", "--resume")
    assert run(*words).code == 0
    ended = run(*words)
    says = "the output exists. No unfinished work lies beside it: it is complete, or another's. --force replaces it."
    assert (ended.code, says in ended.err) == (2, True)
