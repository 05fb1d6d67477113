"""The manners that all commands share: exit codes, streams, signals, surroundings."""

import gc
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.main import get_command

import fourcc
from fourcc.cli.app import COMMANDS, build
from fourcc.cli.render import failures
from fourcc.errors import FourccError, OutputError, PluginError, PolicyError, Problem, SourceError, UsageError
from tests.cli.making import ODD, Runner, write_safetensors


def shell(script: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """A line of shell, `fourcc` in it being the command under test, $1 and so on the arguments."""
    run = f'fourcc() {{ "{sys.executable}" -m fourcc "$@"; }}; {script}'
    return subprocess.run(
        ["bash", "-c", run, "bash", *map(str, arguments)], capture_output=True, text=True, check=False
    )


def test_version(run: Runner) -> None:
    """The version goes to stdout."""
    assert run("--version").out == f"fourcc {fourcc.__version__}\n"
    assert run("-V").code == 0


def test_no_arguments_show_the_usage(run: Runner) -> None:
    """The usage goes to stderr, with exit code 2."""
    ended = run()
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("Usage: fourcc ")


WHOLE = get_command(build([]))  # built once: it takes longer than most tests


def commands(*words: str) -> list[tuple[str, ...]]:
    """The words of every command that begins so; a command of commands stands before its own."""
    command = WHOLE
    for word in words:
        command = command.commands[word]
    return [words, *(some for word in getattr(command, "commands", ()) for some in commands(*words, word))]


def test_every_command_is_found_by_its_name() -> None:
    """The module that a name leads to adds just that command: the table and the modules agree."""
    assert {words[0] for words in commands() if words} == set(COMMANDS)
    for name in COMMANDS:
        assert list(get_command(build([name])).commands) == [name]


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_command_has_help(run: Runner, words: tuple[str, ...], option: str) -> None:
    """Its own commands with a whole sentence each, or examples; no escape sequence."""
    ended = run(*words, option)
    assert ended.code == 0
    assert ended.out.startswith(f"Usage: {' '.join(['fourcc', *words])} ")
    assert "\x1b" not in ended.out
    own = [each[-1] for each in commands(*words) if len(each) == len(words) + 1]
    for command in own:
        line = next(line for line in ended.out.splitlines() if line.startswith(f"  {command} "))
        assert line.endswith("."), f"the summary is cut: {line}"
        assert not line.endswith("..."), f"the summary is cut: {line}"
    if not own and words != ("policy", "recipes"):  # a list without an argument explains itself
        assert "Examples:" in ended.out


def test_help_names_defaults_and_environment(run: Runner) -> None:
    """Defaults are shown."""
    assert "[default: FOURCC_THREADS, or all cores]" in " ".join(run("convert", "-h").out.split())
    assert "FOURCC_PLUGINS" in run("formats", "-h").out
    assert "FOURCC_DEBUG" in run("-h").out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["conver"], "No such command 'conver'"),
        (["convert"], "Missing argument 'SRC'. `fourcc convert --help` shows the usage."),
        (["inspect", "a", "b"], "Got unexpected extra argument"),
        (["inspect", "x", "--zzz"], "No such option: --zzz. `fourcc inspect --help` shows the usage."),
        (["convert", "x", "--threads", "two"], "Invalid value for '--threads'"),
        (["policy"], "Missing command. `fourcc policy --help` shows the usage."),
        (["policy", "check", "x"], "`fourcc policy check --help` shows the usage."),
    ],
)
def test_usage_errors(run: Runner, arguments: list[str], message: str) -> None:
    """Exit code 2, one line on stderr that says where the usage is."""
    ended = run(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("fourcc: error: ")
    assert message in ended.err
    assert ended.err.count("\n") == 1


def test_usage_errors_as_json(run: Runner) -> None:
    """One object on stdout, whatever goes wrong."""
    error = run("inspect", "x", "--json", "--nope").document
    assert error["schema"] == "fourcc.error/1"
    assert (error["error"]["kind"], error["error"]["exit_code"]) == ("UsageError", 2)
    assert run("inspect", "--", "--json").out == ""


@pytest.mark.parametrize(
    ("error", "code", "kind"),
    [
        (FourccError("x"), 1, "FourccError"),
        (UsageError("x"), 2, "UsageError"),
        (PolicyError([Problem("rule[0]", "bad")]), 2, "PolicyError"),
        (SourceError("x"), 3, "SourceError"),
        (OutputError("x"), 4, "OutputError"),
        (FileNotFoundError(2, "No such file or directory", "x"), 4, "OSError"),
        (MemoryError(), 4, "MemoryError"),
        (PluginError("x"), 5, "PluginError"),
        (TypeError("x"), 70, "InternalError"),
    ],
)
def test_exit_codes(
    run: Runner, monkeypatch: pytest.MonkeyPatch, error: Exception, code: int, kind: str, tmp_path: Path
) -> None:
    """Every kind of error has its code, and its object with --json; none shows a traceback."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("fourcc.container.verify.damages", fail)
    file = tmp_path / "x"
    file.touch()
    ended = run("verify", file, "--json")
    assert ended.code == code
    assert (ended.document["error"]["kind"], ended.document["error"]["exit_code"]) == (kind, code)
    assert ended.err.startswith("fourcc: error: ")
    assert "Traceback" not in ended.err


def test_fields_of_an_error() -> None:
    """The object has everything that the message has."""
    failure = failures.failure(
        SourceError("cut", file="a.bin", tensor="w\x1b", offset=7, found=(1, 2), expected=9, hint="Fetch it again.")
    )
    assert failure.message == "a.bin, tensor 'w\\x1b', byte 7: cut: found (1, 2), expected 9. Fetch it again."
    assert failure.fields == {
        "file": "a.bin",
        "tensor": "w\x1b",
        "offset": 7,
        "found": "(1, 2)",
        "expected": 9,
        "hint": "Fetch it again.",
        "worker": None,
    }


def test_an_internal_error_is_called_a_bug() -> None:
    """The message says how to get the traceback."""
    text = failures.failure(KeyError("x\n")).message
    assert text == "internal error: KeyError: 'x\\n'. This is a bug in fourcc; FOURCC_DEBUG=1 shows where."


def test_debugging_shows_the_traceback(run: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """FOURCC_DEBUG=1; the message still comes last."""
    monkeypatch.setenv("FOURCC_DEBUG", "1")
    ended = run("verify", tmp_path / "none")
    assert "Traceback (most recent call last)" in ended.err
    assert ended.err.splitlines()[-1].startswith("fourcc: error: ")


def test_a_closed_pipe_is_quiet(model: Path) -> None:
    """`| head -1`: exit code 141, as of any program that head cuts short, and not a word."""
    ended = shell("(fourcc inspect $1 --json; echo $? >&2) | head -1", model)
    assert ended.stdout == "{\n"
    assert ended.stderr in ("141\n", "0\n")  # 0 where all of it went into the pipe before head had gone


def test_a_pipe_that_is_surely_closed() -> None:
    """The reader has gone before the first byte; so little is written that only the last flush finds out."""
    reader, writer = os.pipe()
    os.close(reader)
    ended = subprocess.run(
        [sys.executable, "-m", "fourcc", "--version"],
        stdout=writer,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("arguments", ["--version", "inspect $1", "inspect $1 --json", "extract $1 norm -o -"])
def test_a_full_stdout(model: Path, arguments: str) -> None:
    """Exit code 4 and one line, be it much or little that is lost."""
    ended = shell(f"fourcc {arguments} > /dev/full", model)
    assert ended.returncode == 4
    assert ended.stderr == "fourcc: error: cannot write to standard output: No space left on device\n"


def test_a_closed_stdout(model: Path, tiny: Path, tmp_path: Path) -> None:
    """Exit code 4; what needs no streams works without."""
    ended = shell("fourcc inspect $1 >&-", model)
    assert (ended.returncode, ended.stderr) == (4, "fourcc: error: standard output is closed\n")
    assert shell("fourcc convert -q $1 -o $2 >&- 2>&- <&-", tiny, tmp_path / "m.bin").returncode == 0
    assert shell("fourcc verify $1", tmp_path / "m.bin").returncode == 0


def test_no_file_takes_the_place_of_a_closed_stream() -> None:
    """Code that writes to descriptor 1 or 2 past Python would otherwise write into an output."""
    code = "import os; from fourcc.cli.app import main; main(['--version']); os._exit(os.open(os.devnull, os.O_RDONLY))"
    assert shell(f'"{sys.executable}" -c "{code}" <&- >&- 2>&-').returncode >= 3


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose names would clear the screen, and turn a line round."""
    folder = tmp_path_factory.mktemp("hostile")
    one = np.ones((2, 32), np.float32)
    source = write_safetensors(folder / "x.safetensors", {"a\x1b[2J": one, "b\u202ec\n": one * 2, "é": one * 3})
    fourcc.convert(source, folder / "model.bin", policy=fourcc.Policy.shorthand("Q8_0"))
    return folder / "model.bin"


@pytest.mark.parametrize(
    "arguments",
    [
        ["inspect", "MODEL"],
        ["inspect", "MODEL", "--json"],
        ["inspect", "MODEL", "--tensor", "a\x1b[2J"],
        ["inspect", "MODEL", "--tensor", "\x1b[2J"],
        ["convert", "MODEL", "--dry-run"],
        ["diff", "MODEL", "OTHER"],
        ["verify", "DAMAGED"],
        ["extract", "MODEL", "--blob", "\x1b[2J", "-o", "x"],
        ["convert", "\x1b[2J", "-o", "x"],
        ["convert", "JUNK", "-o", "x"],
        ["\x1b[2J"],
        ["inspect", "MODEL", "--\x1b[2J"],
    ],
)
def test_names_are_escaped_everywhere(run: Runner, hostile: Path, tmp_path: Path, arguments: list[str]) -> None:
    """This holds in tables, JSON, errors and usage errors."""
    other, damaged = tmp_path / "other.bin", tmp_path / "damaged.bin"
    fourcc.convert(hostile.with_name("x.safetensors"), other)
    damaged.write_bytes(hostile.read_bytes()[:64] + b"\xff" * 3000 + hostile.read_bytes()[3064:])
    junk = tmp_path / "\x1b[2J"
    junk.write_bytes(b"%PDF-1.7")
    places = {"MODEL": str(hostile), "OTHER": str(other), "DAMAGED": str(damaged), "JUNK": str(junk)}
    ended = run(*[places.get(argument, argument) for argument in arguments])
    assert ended.out + ended.err
    assert all(char.isprintable() for char in (ended.out + ended.err).replace("\n", ""))


def test_json_holds_the_names_as_they_are(run: Runner, hostile: Path) -> None:
    """Escaped as JSON does it, in ASCII."""
    ended = run("inspect", hostile, "--json")
    assert [each["name"] for each in ended.document["tensors"]] == ["a\x1b[2J", "b\u202ec\n", "é"]
    assert ended.out.isascii()


PLAIN = {"LANG": "C", "LC_ALL": "C", "PYTHONIOENCODING": "ascii", "TERM": "dumb", "COLUMNS": "1", "NO_COLOR": "1"}


@pytest.mark.parametrize("flags", [(), ("-O",), ("-W", "error"), ("-I",)], ids=["plain", "-O", "-W error", "-I"])
def test_poor_surroundings(process: Runner, hostile: Path, flags: tuple[str, ...]) -> None:
    """ASCII only, a dumb terminal, no width: everything is still said."""
    ended = process("inspect", hostile, env=PLAIN, flags=flags)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.isascii() or "-I" in flags  # which leaves PYTHONIOENCODING unread
    assert len([line for line in ended.out.splitlines() if "Q8_0" in line]) == 3


@pytest.mark.thorough
def test_warnings_are_errors_nowhere(process: Runner, tiny: Path, tmp_path: Path) -> None:
    """A conversion and all that reads it, under -W error."""
    model = tmp_path / "m.bin"
    for arguments in (
        ["convert", tiny, "-o", model, "--format", "Q4_0,Q8_A"],
        ["inspect", model, "--tensor", ODD],
        ["diff", model, model],
        ["formats"],
        ["--help"],
    ):
        ended = process(*arguments, flags=("-W", "error"))
        assert ended.code == 0, ended.err


@pytest.mark.parametrize("no_colour", ["1", ""])
def test_a_narrow_terminal(model: Path, no_colour: str) -> None:
    """No name is cut, and columns that are left out are named; colour, unless NO_COLOR says no."""
    master, slave = pty.openpty()
    env = {**os.environ, "COLUMNS": "70", "TERM": "xterm", "NO_COLOR": no_colour}
    subprocess.run([sys.executable, "-m", "fourcc", "inspect", str(model)], stdout=slave, check=True, env=env)
    os.close(slave)
    text = b""
    try:
        while block := os.read(master, 65536):
            text += block
    except OSError:  # the end of a terminal
        pass
    os.close(master)
    plain = re.sub(r"\x1b\[[0-9;]+m", "", text.decode())
    assert "\x1b" not in plain
    assert (plain == text.decode()) == bool(no_colour)
    facts, rows = (part.splitlines() for part in plain.split("\r\n\r\n"))
    assert all(len(row) <= 70 for row in [*facts, *rows])
    assert any(row.startswith("layers.0.feed_forward.w1  ") for row in rows)
    assert rows[-1] == "wider terminals also show: bytes, rel RMSE, rule"


def test_completion_knows_the_commands(process: Runner) -> None:
    """Completion for bash lists every command."""
    env = {"_FOURCC_COMPLETE": "complete_bash", "COMP_WORDS": "fourcc ver", "COMP_CWORD": "1"}
    assert process(env=env).out.split() == ["verify"]


AS_STARTED = """
import signal
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # whoever started the tests may ignore them, as nohup does
signal.signal(signal.SIGINT, signal.default_int_handler)
"""
SLOW = """
import sys, time
import fourcc.conversion.pipeline as pipeline
encode = pipeline._encode
def slow(*arguments):
    print("busy", flush=True)
    time.sleep(0.2)
    return encode(*arguments)
pipeline._encode = slow
from fourcc.cli.app import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("number", "code", "text"),
    [
        (signal.SIGINT, 130, "fourcc: interrupted\n"),
        (signal.SIGTERM, 143, "fourcc: terminated\n"),
        (signal.SIGHUP, 129, "fourcc: terminated\n"),
    ],
)
def test_signals_leave_nothing_behind(tiny: Path, tmp_path: Path, number: signal.Signals, code: int, text: str) -> None:
    """The old output stays as it was, the temporary file goes, without waiting for the end of the work."""
    output = tmp_path / "model.bin"
    output.write_bytes(b"precious")
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            AS_STARTED + SLOW,
            "convert",
            str(tiny),
            "-o",
            str(output),
            "--force",
            "--format",
            "F16",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "busy\n"
        started.send_signal(number)
        _, err = started.communicate(timeout=60)
    assert (started.returncode, err) == (code, text)
    assert [path.name for path in tmp_path.iterdir()] == ["model.bin"]
    assert output.read_bytes() == b"precious"


def test_an_ignored_hangup_stays_ignored(tiny: Path, tmp_path: Path) -> None:
    """nohup relies on that."""
    output = tmp_path / "m.bin"
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            SLOW,
            "convert",
            str(tiny),
            "-o",
            str(output),
            "-q",
            "--format",
            "F16",
            "--include",
            "*0*",
        ],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),  # noqa: PLW1509 - no threads here
    ) as started:
        assert started.stdout is not None
        assert started.stdout.readline() == "busy\n"
        started.send_signal(signal.SIGHUP)
        started.communicate(timeout=10)
    assert started.returncode == 0
    assert output.exists()


def test_handlers_are_given_back(run: Runner) -> None:
    """A program that calls main() keeps its own."""
    before = signal.getsignal(signal.SIGTERM)
    run("--version")
    assert signal.getsignal(signal.SIGTERM) is before


def test_the_installed_command() -> None:
    """The console script leads here."""
    command = shutil.which("fourcc", path=str(Path(sys.executable).parent))
    if command is None:
        pytest.skip("fourcc is not installed beside the interpreter that runs the tests")
    assert subprocess.check_output([command, "--version"], text=True) == f"fourcc {fourcc.__version__}\n"


@pytest.mark.parametrize(
    ("number", "code", "text"),
    [
        (signal.SIGINT, 130, "fourcc: interrupted\n"),
        (signal.SIGTERM, 143, "fourcc: terminated\n"),
        (signal.SIGHUP, 129, "fourcc: terminated\n"),
    ],
)
@pytest.mark.parametrize("when", ["before", "behind"])
def test_a_signal_while_nothing_is_there_yet(number: signal.Signals, code: int, text: str, when: str) -> None:
    """While the command line is imported, and when all is done: one line, no traceback."""
    script = AS_STARTED + (
        "import os, sys, fourcc.__main__ as door\n"
        "class Slow:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'fourcc.cli.app': os.kill(os.getpid(), NUMBER)\n"
        "if WHEN == 'before': sys.meta_path.insert(0, Slow())\n"
        "sys.argv[1:] = ['--version']\n"
        "code = door.main()\n"
        "os.kill(os.getpid(), NUMBER)\n"
    )
    script = script.replace("NUMBER", str(int(number))).replace("WHEN", repr(when))
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (code, text)
    assert bool(ended.stdout) == (when == "behind")


def test_a_signal_that_is_ignored_stays_so_from_the_start() -> None:
    """nohup and a shell's `&` rely on that."""
    script = (
        "import signal, os, fourcc.__main__ as door, sys\n"
        "for number in (signal.SIGINT, signal.SIGHUP): signal.signal(number, signal.SIG_IGN)\n"
        "sys.argv[1:] = ['--version']\n"
        "code = door.main()\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "os.kill(os.getpid(), signal.SIGHUP)\n"
        "sys.exit(code)\n"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize("apart", [True, False], ids=["in the process that tries it", "in the command"])
def test_a_signal_is_no_fault_of_a_plugin(plugin: Callable[[str, str, str], dict[str, str]], *, apart: bool) -> None:
    """SIGTERM while its module is imported ends the command."""
    kill = "os.kill(os.getppid(), 15)\n    time.sleep(60)" if apart else "pass"
    code = f"import os, sys, time\nif sys.argv[0].endswith('child.py'):\n    {kill}\n"
    code += "else:\n    os.kill(os.getpid(), 15)\nFORMAT = None\n"
    env = {**os.environ, **plugin("fourcc-slow", "Slow", code)}
    command = [sys.executable, "-m", "fourcc", "formats"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert (ended.returncode, ended.stderr) == (143, "fourcc: terminated\n")


def test_a_command_leaves_nothing_behind(run: Runner) -> None:
    """Whoever calls the command line again and again has its memory back: no cycle is kept from collection."""
    before = gc.get_freeze_count()
    assert run("--version").code == 0
    assert gc.get_freeze_count() == before
