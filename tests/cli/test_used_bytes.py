"""The bytes that are used are those that were written, and stay so: damage, cuts and changes under every command."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import fourcc
from fourcc.cli.app import COMMANDS
from fourcc.container.reader import ModelFile
from fourcc.models.transformer import Transformer
from tests.cli.making import ODD, Run, Runner

OTHERS = ("layers.1.feed_forward.w2", "norm")  # a matrix that is used as it is stored, and a vector

# Of each command that takes a model.bin: how it is called on MODEL, so that it uses the weights of TENSOR.
READERS = {
    "convert": ["MODEL", "-o", "OUT", "--format", "F32"],
    "inspect": ["MODEL", "--tensor", "TENSOR"],
    "diff": ["MODEL", "SOUND"],
    "extract": ["MODEL", "TENSOR", "-o", "OUT"],
    "export": ["MODEL", "-o", "OUT.gguf"],
    "quantize": ["MODEL", "-o", "OUT.gguf", "--format", "F32"],
    "split": ["MODEL", "-o", "OUT", "--shard-size", "100kB"],
    "run": ["MODEL", "-n", "4"],
    "eval": ["MODEL", "--text", "TEXT", "--tokens", "20"],
    "stats": ["MODEL"],
    "shootout": ["MODEL", "--no-speed"],
    "calibrate": ["MODEL", "--text", "TEXT", "--documents", "-o", "OUT"],
    "measure": ["MODEL", "--text", "TEXT", "--documents", "--options", "Q8_0", "-o", "OUT"],
}
VERIFIES = {"verify"}  # lists damage, and ends with 1
SHOWS = {"report"}  # names damage on its page, and in a note
NO_READERS = {
    "allocate",
    "example",
    "bench",
    "bench-models",
    "formats",
    "policy",
    "plugin",
    "cache",
    "join",  # but of shards, see test_shards.py
}  # of no user's tensor
UNUSED = {("shootout", "norm")}  # matrices alone take part


@pytest.fixture
def text(root: Path, tmp_path: Path) -> Path:
    """Some held-out stories."""
    path = tmp_path / "text.txt"
    path.write_text((root / "fourcc" / "example" / "heldout.txt").read_text()[:1500])
    return path


@pytest.fixture
def copied(model: Path, tmp_path: Path) -> Path:
    """A model of one's own, to be spoilt."""
    return Path(shutil.copy(model, tmp_path / "copied.bin"))


def place(model: Path, tensor: str) -> tuple[str, int, int]:
    """Name, first and last byte of a tensor's first part."""
    with ModelFile(model) as opened:
        part = opened.record(tensor).parts[0]
    return part.name, part.offset, part.offset + part.nbytes - 1


def flip(model: Path, at: int) -> None:
    """One bit."""
    with model.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ 4]))


def damaged(model: Path, tensor: str) -> str:
    """Flips a bit in the middle of a tensor; gives what is to be said of it."""
    name, first, last = place(model, tensor)
    flip(model, (first + last) // 2)
    says = f"part {name!r} is damaged: bytes {first} to {last} differ from their checksum"
    return f"{model}, tensor {tensor!r}, byte {first}: {says}. `fourcc verify` lists all damage."


def test_every_command_is_known() -> None:
    """One that is new says here what it reads."""
    assert set(COMMANDS) == set(READERS) | VERIFIES | SHOWS | NO_READERS


@pytest.mark.parametrize("tensor", [ODD, *OTHERS])
@pytest.mark.parametrize("command", sorted(READERS))
def test_every_command_checks_what_it_uses(
    run: Runner, model: Path, copied: Path, text: Path, tmp_path: Path, command: str, tensor: str
) -> None:
    """A flipped bit: exit code 3, and file, tensor, part and bytes are named."""
    says = damaged(copied, tensor)
    places = {"MODEL": copied, "SOUND": model, "TENSOR": tensor, "TEXT": text, "OUT": tmp_path / "out"}
    places["OUT.gguf"] = tmp_path / "out.gguf"
    ended = run(command, *[places.get(each, each) for each in READERS[command]])
    if (command, tensor) in UNUSED:
        assert ended.code == 0
        return
    assert (ended.code, f"fourcc: error: {says}" in ended.err) == (3, True), ended.err
    assert not (tmp_path / "out").exists()
    assert ended.out == ""


def test_a_reference_is_checked_too(run: Runner, model: Path, copied: Path, text: Path) -> None:
    """It is checked before anything is scored."""
    says = damaged(copied, "norm")
    ended = run("eval", model, "--reference", copied, "--text", text, "-q", "--max-kld", 9)
    assert (ended.code, ended.out, ended.err) == (3, "", f"fourcc: error: {says}\n")


def test_the_impatient(run: Runner, copied: Path) -> None:
    """`run` takes the bytes as they are where that is asked for; nothing else does."""
    damaged(copied, ODD)
    assert run("run", copied, "-n", 4, "-q", "--no-verify").code == 0
    assert run("eval", copied, "--text", copied, "--no-verify").code == 2


def test_a_library_s_model_is_checked(copied: Path, text: Path) -> None:
    """The network, its texts, `fourcc.evaluate`; unless it is opened otherwise."""
    says = damaged(copied, ODD).strip()
    with fourcc.open(copied) as model:
        for ask in (model.network, model.generate, lambda: model[ODD], lambda: fourcc.evaluate(model, text)):
            with pytest.raises(fourcc.FourccError) as caught:
                ask()
            assert str(caught.value) == says
    with fourcc.open(copied, verify=False) as model:
        assert len(model.generate(steps=4)) > 1


# -- changes while a model runs


def overwrite(path: Path) -> None:
    """Other bytes in its place."""
    flip(path, path.stat().st_size // 2)


def rewrite(path: Path) -> None:
    """`cp` of equal bytes over a file changes it too: nobody can tell which bytes were read meanwhile."""
    path.write_bytes(path.read_bytes())


def replace(path: Path) -> None:
    """Another file takes over its name."""
    path.with_name("new").write_bytes(b"other")
    path.with_name("new").replace(path)


def remove(path: Path) -> None:
    """Its name goes."""
    path.unlink()


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Has something done before a model's third step; nothing comes from standard input."""
    monkeypatch.setattr("sys.stdin", None)

    def at(act: Callable[[], None]) -> None:
        calls, forward = [0], Transformer.forward

        def acting(self: Transformer, tokens: list[int], **how: bool) -> object:
            calls[0] += 1
            if calls[0] == 3:
                act()
            return forward(self, tokens, **how)

        monkeypatch.setattr(Transformer, "forward", acting)

    return at


CALLS = {
    "run": ["run", "MODEL", "-t", "0", "-n", "20", "-q"],
    "chat": ["run", "MODEL", "-t", "0", "-n", "60", "-q", "-m", "chat", "-y", "", "-i", "Hello"],
    "eval": ["eval", "MODEL", "--text", "TEXT", "-q", "--context", "64"],
    "reference": ["eval", "SOUND", "--text", "TEXT", "-q", "--context", "64", "--reference", "MODEL"],
}


@pytest.mark.parametrize("call", sorted(CALLS))
@pytest.mark.parametrize("act", [overwrite, rewrite])
def test_a_file_that_changes_is_an_error(
    run: Runner,
    model: Path,
    copied: Path,
    text: Path,
    meanwhile: Callable[[Callable[[], None]], None],
    call: str,
    act: Callable[[Path], None],
) -> None:
    """Found at the end; no number and no gate is shown then, and the text before it is known to be void."""
    meanwhile(lambda: act(copied))
    places = {"MODEL": copied, "SOUND": model, "TEXT": text}
    ended = run(*[places.get(each, each) for each in CALLS[call]])
    says = f"fourcc: error: {copied}: the file changed while it was read. Run it again.\n"
    assert (ended.code, ended.err) == (3, says)
    if "eval" in CALLS[call]:
        assert ended.out == ""


@pytest.mark.parametrize("call", ["run", "eval"])
@pytest.mark.parametrize("act", [replace, remove])
def test_a_name_that_changes_is_no_matter(
    run: Runner,
    model: Path,
    copied: Path,
    text: Path,
    meanwhile: Callable[[Callable[[], None]], None],
    call: str,
    act: Callable[[Path], None],
) -> None:
    """The open file is another one, and whole."""
    places = {"MODEL": copied, "TEXT": text}
    expected = run(*[{**places, "MODEL": model}.get(each, each) for each in CALLS[call]])
    meanwhile(lambda: act(copied))
    ended = run(*[places.get(each, each) for each in CALLS[call]])
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.replace(str(copied), str(model)).split() == expected.out.split()


def test_events_end_with_an_error(run: Runner, copied: Path, meanwhile: Callable[[Callable[[], None]], None]) -> None:
    """The end says so, and the error follows."""
    meanwhile(lambda: overwrite(copied))
    *_, end, error = run("run", copied, "-t", 0, "-n", 20, "--json").out.splitlines()
    assert '"reason": "error"' in end
    assert '"the file changed while it was read' in error.replace(f"{copied}: ", "")


@pytest.mark.parametrize("opened", [True, False])
def test_evaluate_refuses_a_file_that_changed(
    copied: Path, text: Path, meanwhile: Callable[[Callable[[], None]], None], *, opened: bool
) -> None:
    """Evaluates a path, and an open model."""
    meanwhile(lambda: overwrite(copied))
    says = f"{copied}: the file changed while it was read. Run it again."
    with fourcc.open(copied) as model, pytest.raises(fourcc.FourccError) as caught:
        fourcc.evaluate(model if opened else copied, text, context=64)
    assert (str(caught.value), caught.value.exit_code) == (says, 3)


def test_what_fails_because_the_file_changed_says_so(
    copied: Path, meanwhile: Callable[[Callable[[], None]], None]
) -> None:
    """The message does not claim that no token can be drawn."""

    def spoil() -> None:
        overwrite(copied)
        raise fourcc.FourccError("no token can be drawn")

    meanwhile(spoil)
    with fourcc.open(copied) as model, pytest.raises(fourcc.FourccError, match="the file changed") as caught:
        model.generate(steps=20)
    assert str(caught.value.__context__) == "no token can be drawn"


# -- a mapped file that is cut

CUTTING = """
import os, sys
from fourcc.models.transformer import Transformer
forward, calls = Transformer.forward, [0]
def cutting(self, *given, **how):
    calls[0] += 1
    if calls[0] == 3:
        os.truncate(PATH, LENGTH)
    return forward(self, *given, **how)
Transformer.forward = cutting
from fourcc.cli.app import main
sys.exit(main(sys.argv[1:]))
"""


def cut(path: Path, length: int, *arguments: object) -> Run:
    """A command in whose midst a file is cut."""
    code = CUTTING.replace("PATH", repr(str(path))).replace("LENGTH", str(length))
    command = [sys.executable, "-c", code, *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    return Run(ended.returncode, ended.stdout, ended.stderr)


def says_cut(path: Path) -> str:
    """The message for a file that was cut."""
    return f"fourcc: error: {path}: the file was cut while it was read. Fetch or convert it again.\n"


@pytest.mark.parametrize(("threads", "length"), [(1, 0), (2, 8192)])
def test_a_cut_under_run(copied: Path, threads: int, length: int) -> None:
    """Exit code 3 and a line, from whichever thread; the text before it is there."""
    ended = cut(copied, length, "run", copied, "-t", 0, "-n", 30, "-q", "--threads", threads)
    assert (ended.code, ended.err) == (3, says_cut(copied))
    assert ended.out == "Once"


def test_a_cut_under_eval(model: Path, copied: Path, text: Path) -> None:
    """The one of two that was cut is named; as an event, too."""
    ended = cut(copied, 8192, "eval", model, copied, "--text", text, "--context", 64, "--json", "-q")
    assert (ended.code, ended.err) == (3, says_cut(copied))
    error = ended.document["error"]
    assert (error["kind"], error["exit_code"], error["file"]) == ("IndexDamageError", 3, str(copied))
    assert f"fourcc: error: {error['message']}\n" == ended.err


@pytest.mark.thorough
@pytest.mark.parametrize("command", ["run", "eval"])
def test_cuts_at_any_time(model: Path, text: Path, tmp_path: Path, command: str) -> None:
    """From outside, twenty times: never a signal, never a traceback, never an answer."""
    codes = set()
    for number in range(20):
        path = Path(shutil.copy(model, tmp_path / "m.bin"))
        rest = ["-n", "0", "-t", "0"] if command == "run" else ["--text", str(text), "--context", "64"]
        arguments = [sys.executable, "-m", "fourcc", command, str(path), *rest, "--threads", str(1 + number % 2)]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as started:
            time.sleep(0.3 + number / 25)
            over = started.poll() is not None
            os.truncate(path, (0, 4096, 100_000)[number % 3])
            _, err = started.communicate(timeout=60)
        codes.add(started.returncode)
        assert started.returncode == 3 or (started.returncode == 0 and (over or "error" not in err))
        assert str(path) in err or started.returncode == 0
    assert 3 in codes


# -- what a killed run leaves behind

SLEEPING = """
import sys, time
import fourcc.MODULE as module
called = module.NAME
def sleeping(*given, **how):
    print("busy", flush=True)
    time.sleep(60)
module.NAME = sleeping
from fourcc.cli.app import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("module", "name", "arguments"),
    [
        ("conversion.pipeline", "_encode", ["run", "-z", "TOKENIZER", "--format", "F16"]),
        ("models.generate", "text_after", ["run", "-z", "TOKENIZER"]),
        ("analysis.survey", "survey", ["stats", "--format", "F16"]),
    ],
    ids=["while it converts", "while it runs", "while stats looks"],
)
def test_a_killed_run_leaves_nothing(tiny: Path, tmp_path: Path, module: str, name: str, arguments: list[str]) -> None:
    """No program sees SIGKILL; the temporary model has no name, so it goes with the process."""
    tokenizer = str(tiny.with_name("tiny_tokenizer.bin"))
    command, *rest = [tokenizer if each == "TOKENIZER" else each for each in arguments]
    code = SLEEPING.replace("MODULE", module).replace("NAME", name)
    with subprocess.Popen(
        [sys.executable, "-c", code, command, str(tiny), *rest, "-q"],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "busy\n"
        held = Path(f"/proc/{started.pid}/fd")
        if held.exists():
            assert any(str(tmp_path) in str(each.readlink()) for each in held.iterdir())
        started.send_signal(signal.SIGKILL)
    assert list(tmp_path.iterdir()) == []
