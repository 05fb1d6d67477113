"""`fourcc run`: llama2.c's flags and rules, seen from outside."""

import contextlib
import hashlib
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fourcc
from fourcc.cli.render import run_output
from fourcc.cli.shared import chat
from fourcc.cli.shared.signals import TerminatedError
from fourcc.models.model import Model
from fourcc.models.tokenizers import TextStream, Tokenizer
from tests.cli.making import Run, Runner

# llama2.c's own test (test_all.py): greedy, 200 steps of stories260K
REFERENCE = "beeb5cb46785efee81a8545300b31e396b595e5ce6f3b77db201545501981d14"
GREEDY = ("-t", "0")


@pytest.fixture
def data() -> Path:
    """The folder of real models."""
    folder = os.environ.get("FOURCC_DATA")
    if not folder:
        pytest.skip("FOURCC_DATA does not lead to the real models")
    return Path(folder)


def test_greedy_text_is_llama2c_s(run: Runner, data: Path) -> None:
    """Byte for byte, on a checkpoint that is converted on the way."""
    ended = run("run", data / "stories260K.bin", "-z", data / "tok512.bin", *GREEDY, "-n", 200)
    assert ended.code == 0
    text = ended.out.encode().removesuffix(b"\n")
    assert (len(text), hashlib.sha256(text).hexdigest()) == (464, REFERENCE)


def test_a_gguf_runs_with_its_own_tokenizer(run: Runner, data: Path) -> None:
    """A model from another kind of file begins in the same words."""
    ended = run("run", data / "stories260K.gguf", *GREEDY, "-n", 100)
    assert ended.code == 0, ended.err
    assert ended.out.strip().startswith("Once upon a time, there was a little girl named Lily. She loved to play")


def test_text_goes_to_stdout_and_speed_to_stderr(run: Runner, model: Path) -> None:
    """The prompt is part of the text."""
    ended = run("run", model, "-i", "Once upon a time", *GREEDY, "-n", 40)
    assert ended.code == 0
    assert ended.out.startswith("Once upon a time, there was a")
    assert ended.out.endswith("\n")
    assert "prompt: " in ended.err
    assert "achieved tok/s: " in ended.err
    assert run("run", model, *GREEDY, "-n", 20, "-q").err == ""


def test_one_seed_gives_one_text(run: Runner, model: Path) -> None:
    """Another seed gives another text."""
    first, again, other = (run("run", model, "-s", seed, "-n", 60).out for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_the_text_does_not_depend_on_threads(run: Runner, model: Path) -> None:
    """It does not depend on whether it is asked for in one step, either."""
    texts = {run("run", model, *GREEDY, "-n", 80, "--threads", threads).out for threads in (1, 2, 3)}
    assert len(texts) == 1


def test_the_prompt_may_come_from_standard_input(model: Path) -> None:
    """A program in a pipe reads its prompt there."""
    command = [sys.executable, "-m", "fourcc", "run", str(model), "-i", "-", *GREEDY, "-n", "30", "-q"]
    ended = subprocess.run(command, input="One day\n", capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("One day")


def test_a_policy_quantizes_on_the_way(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """No temporary file is left behind."""
    tokenizer = tiny.with_name("tiny_tokenizer.bin")
    ended = run("run", tiny, "-z", tokenizer, "--format", "Q8_A", *GREEDY, "-n", 30)
    assert ended.code == 0
    assert ended.out.startswith("Once") or ended.out.strip()
    both = run("run", tiny, "-z", tokenizer, "--format", "Q8_A", "--policy", tmp_path / "x.toml")
    assert both.code == 2
    assert "--policy and --format exclude each other" in both.err


def test_what_cannot_be_run_says_why(run: Runner, tiny: Path, model: Path, tmp_path: Path) -> None:
    """No tokenizer, a prompt that is too long, a file that is none."""
    ended = run("run", tiny, "-n", 5)
    assert ended.code == 3
    assert "the model has no tokenizer" in ended.err
    ended = run("run", model, "-i", "Once upon a time there was", "-n", 2)
    assert ended.code == 2
    assert "the prompt is too long: found" in ended.err
    (tmp_path / "x.bin").write_bytes(b"%PDF-1.7 nothing")
    assert run("run", tmp_path / "x.bin").code == 3


def test_a_closed_pipe_ends_it(model: Path) -> None:
    """`head` closes the pipe in this way."""
    command = f'"{sys.executable}" -m fourcc run "{model}" -s 1 -n 200 | head -c 10'
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert len(ended.stdout) == 10
    assert "Traceback" not in ended.stderr


def piped(text: str, *arguments: object) -> Run:
    """A run with a text at standard input."""
    command = [sys.executable, "-m", "fourcc", "run", *map(str, arguments)]
    ended = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    return Run(ended.returncode, ended.stdout, ended.stderr)


def test_a_pipe_is_the_prompt_unless_one_is_given(model: Path) -> None:
    """Nobody need say so; and `-i` of a text leaves the pipe alone."""
    assert piped("One day\n", model, *GREEDY, "-n", 30, "-q").out.startswith("One day")
    assert piped("One day\n", model, "-i", "", *GREEDY, "-n", 30, "-q").out.startswith("Once")


def events(ended: Run) -> list[dict[str, object]]:
    """The objects on stdout, one a line."""
    return [json.loads(line) for line in ended.out.splitlines()]


def test_events_tell_what_comes(run: Runner, model: Path) -> None:
    """Each names its schema; together they are the text, and what is at the end is what a person is told."""
    plain = run("run", model, "-i", "Once upon", *GREEDY, "-n", 40, "-q").out
    ended = run("run", model, "-i", "Once upon", *GREEDY, "-n", 40, "--json")
    found = events(ended)
    assert {event["schema"] for event in found} == {"fourcc.run/1"}
    assert [event["event"] for event in found[:2]] == ["start", "prompt"]
    assert (found[0]["model"], found[0]["steps"], found[0]["temperature"]) == (str(model), 40, 0)
    texts = [event for event in found if event["event"] in {"prompt", "text"}]
    assert "".join(str(event["text"]) for event in texts) + "\n" == plain
    assert all(isinstance(event["token"], int) for event in texts[1:])
    seconds = [event["seconds"] for event in found]
    assert seconds == sorted(seconds)  # type: ignore[type-var]
    assert (found[-1]["event"], found[-1]["reason"]) == ("end", "length")
    assert found[-1]["prompt_tokens"] == len(texts[0]["tokens"])  # type: ignore[arg-type]
    assert found[-1]["tokens"] == len([event for event in texts[1:] if event["token"] is not None])
    assert found[-1]["tokens_per_second"] > 0  # type: ignore[operator]
    assert ended.err == ""


def test_events_tell_the_seed_that_was_used(run: Runner, model: Path) -> None:
    """So a text whose seed was the time can be made again."""
    ended = events(run("run", model, "-n", 30, "--json"))
    text = "".join(str(event.get("text", "")) for event in ended)
    assert run("run", model, "-n", 30, "-s", ended[0]["seed"], "-q").out.removesuffix("\n") == text


def test_an_error_is_an_event_too(run: Runner, model: Path) -> None:
    """In one line, behind the end of what had begun."""
    *_, end, error = events(run("run", model, "-i", "Once upon a time there was", "-n", 2, "--json"))
    assert (end["event"], end["reason"]) == ("end", "error")
    assert error["schema"] == "fourcc.error/1"
    assert "the prompt is too long" in error["error"]["message"]  # type: ignore[index]


def test_messages_name_the_file_that_was_given(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """They do not name the temporary file that it became."""
    ended = run("run", tiny, "--format", "Q8_A", "-n", 5)
    assert f"{tiny}: the model has no tokenizer" in ended.err
    other = tmp_path / "other.bin"
    part = ("--exclude", "layers.1.*", "--tokenizer", tiny.with_name("tiny_tokenizer.bin"))
    assert run("convert", tiny, "-o", other, *part).code == 0
    ended = run("run", other, "--format", "Q8_A", "-n", 5)
    assert f"{other}, tensor 'layers.1.attention_norm': this model cannot be run: a tensor is missing" in ended.err


def test_a_talk_from_a_file(model: Path) -> None:
    """A message a line; answers alone go to stdout, one a line."""
    ended = piped("Hello\n\nAnd then?\n", model, "-m", "chat", *GREEDY, "-n", 60)
    assert ended.code == 0, ended.err
    assert "User:" not in ended.out + ended.err
    assert "chat template llama2: the model brings none; --template NAME chooses" in ended.err
    assert "the talk has all the tokens that -n or the context of the model allows, and ends" in ended.err
    first = piped("", model, "-m", "chat", "-y", "", "-i", "Hello", *GREEDY, "-n", 60, "-q")
    assert (first.out, first.err) == (ended.out, "")


def test_a_pipe_says_messages_alone(model: Path) -> None:
    """There is no system prompt unless an option says it: the first line is a message, too."""
    common = (model, "-m", "chat", *GREEDY, "-n", 70, "-q")
    given = piped("Hello\n", *common, "--system", "Tell of dogs.").out
    bare = piped("Hello\n", *common)
    assert given == piped("Hello\n", *common, "-y", "Tell of dogs.").out
    assert bare.out == piped("", *common, "-i", "Hello").out
    assert given != bare.out


@pytest.mark.parametrize(
    ("long", "letter"),
    [
        (["--prompt", "One"], ["-i", "One"]),
        (["--temperature", "0.5"], ["-t", "0.5"]),
        (["--temp", "0.5"], ["-t", "0.5"]),
        (["--top-p", "0.4"], ["-p", "0.4"]),
        (["--seed", "7"], ["-s", "7"]),
        (["--mode", "generate"], ["-m", "generate"]),
    ],
    ids=" ".join,
)
def test_long_options_mean_what_llama2c_s_letters_mean(
    run: Runner, model: Path, long: list[str], letter: list[str]
) -> None:
    """With the other settings equal, so is the text."""
    common = ("run", model, "-s", 3, "-n", 12, "-q")
    assert run(*common, *long).out == run(*common, *letter).out


def test_new_tokens_are_counted_without_the_prompt(run: Runner, model: Path) -> None:
    """`--max-tokens` counts new ones, `-n` all; the smaller of both is the end. The context is no other."""
    common = ("run", model, "-i", "Once upon a time", *GREEDY, "--json")

    def new(*options: object) -> int:
        return sum(event["event"] == "text" and event["token"] is not None for event in events(run(*common, *options)))

    prompt = len(events(run(*common, "--max-tokens", 1))[1]["tokens"])
    assert [new("--max-tokens", each) for each in (1, 5, 9)] == [1, 5, 9]
    assert new("-n", prompt + 4) == 5  # a step reads a token and gives the next one, as in llama2.c
    assert new("-n", prompt + 4, "--max-tokens", 3) == 3
    assert new("-n", prompt + 4, "--max-tokens", 30) == 5
    assert new("--max-tokens", 100_000) == new("-n", 0)
    ended = run("run", model, "-i", "Once upon a time", "-n", 2)
    assert (ended.code, "The prompt counts among the tokens of the text (-n, steps)" in ended.err) == (2, True)


def test_new_tokens_of_an_answer(model: Path) -> None:
    """In a talk they are those of each answer, and the talk goes on."""
    common = (model, "-m", "chat", "-n", 120, *GREEDY, "--json", "--max-tokens", 4)
    found = events(piped("Hello\nAnd then?\n", *common))
    kinds = [event["event"] for event in found if event["event"] != "text"]
    assert kinds == ["start", "prompt", "turn", "prompt", "turn", "end"]
    assert [event["reason"] for event in found if "reason" in event] == ["length", "length", "input"]


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("-t", "nan", "bad value of --temperature, -t: found nan, expected 0 or more, and finite"),
        ("--temp", "inf", "bad value of --temperature, -t: found inf"),
        ("-p", "nan", "bad value of --top-p, -p: found nan, expected a share, 0 to 1"),
        ("--max-tokens", "0", "bad value of --max-tokens: found 0, expected 1 or more"),
        ("--max-tokens", "-3", "bad value of --max-tokens: found -3"),
    ],
)
def test_numbers_that_mean_nothing(run: Runner, model: Path, option: str, value: str, message: str) -> None:
    """They are refused by the option's name; numbers below 0 mean what they mean in llama2.c, as the help says."""
    ended = run("run", model, option, value)
    assert (ended.code, ended.out, message in ended.err) == (2, "", True), ended.err


def test_a_recipe_quantizes_on_the_way(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """As one that is converted first; it excludes the other ways to say a policy."""
    tokenizer = tiny.with_name("tiny_tokenizer.bin")
    fourcc.convert(tiny, tmp_path / "a.bin", recipe="Q8_0", tokenizer=tokenizer)
    common = (*GREEDY, "-n", 20, "-q")
    assert (
        run("run", tiny, "-z", tokenizer, "--recipe", "q8_0", *common).out
        == run("run", tmp_path / "a.bin", *common).out
    )
    ended = run("run", tiny, "-z", tokenizer, "--recipe", "Q8_0", "--format", "F16")
    assert (ended.code, "--format and --recipe exclude each other" in ended.err) == (2, True)


def test_a_talk_in_events(model: Path) -> None:
    """Events give each message, its answer, and why it ended."""
    found = events(piped("Hello\nAnd then?\n", model, "-m", "chat", "-y", "", *GREEDY, "-n", 50, "--json"))
    assert found[0]["template"] == "llama2"
    assert [event["event"] for event in found if event["event"] != "text"] == ["start", "prompt", "turn", "end"]
    assert [found[1]["text"], found[-2]["reason"], found[-1]["reason"]] == ["Hello", "length", "length"]


def test_a_talk_without_messages_ends(model: Path) -> None:
    """It ends as at Ctrl-D."""
    ended = piped("", model, "-m", "chat", "-q")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_what_belongs_to_a_talk_is_refused_elsewhere(run: Runner, model: Path) -> None:
    """With what to add; a template by its wrong name, with the right ones."""
    ended = run("run", model, "-y", "x")
    assert (ended.code, "--system (-y), --template, --tools and --set belong to a chat. Add -m chat." in ended.err) == (
        2,
        True,
    )
    ended = run("run", model, "-m", "chat", "--special")
    assert (ended.code, "--special does not belong to a chat" in ended.err) == (2, True)
    ended = run("run", model, "-m", "chat", "--set", "x", "-y", "", "-i", "Hi")
    assert (ended.code, "not a variable of a template: found 'x', expected NAME=VALUE" in ended.err) == (2, True)
    ended = run("run", model, "-m", "chat", "--set", "x=1", "-y", "", "-i", "Hi")
    assert (ended.code, "the chat template llama2 has no place for tools, options" in ended.err) == (2, True)
    ended = run("run", model, "-m", "chat", "--template", "x", "-y", "", "-i", "Hi")
    assert (ended.code, "no such chat template: found 'x', expected llama3, chatml, llama2" in ended.err) == (2, True)


def test_special_tokens_in_a_prompt(run: Runner, model: Path) -> None:
    """On request their names stand for them; else they are text."""
    tokens = {}
    for option in ((), ("--special",)):
        ended = run("run", model, "-i", "Hi</s><s>", *GREEDY, "-n", 20, "--json", *option)
        tokens[option] = events(ended)[1]["tokens"]
    assert tokens["--special",][-2:] == [2, 1]
    assert (2 in tokens[()], tokens[()][0], tokens["--special",][0]) == (False, 1, 1)


def test_a_talk_by_a_template_of_a_file(run: Runner, model: Path, tmp_path: Path) -> None:
    """With variables and functions; the tokens of the message are those that it writes."""
    template, tools = tmp_path / "mine.jinja", tmp_path / "tools.json"
    template.write_text("<s>{{ tools[0].name }}{{ thinks }}: {{ messages[-1].content }}</s>")
    tools.write_text('[{"name": "weather"}]')
    options = ("--template", template, "--tools", tools, "--set", "thinks=false", "-y", "", "-n", 99, "--json")
    found = events(run("run", model, "-m", "chat", "-i", "Hi", *GREEDY, *options))
    assert found[0]["template"] == str(template)
    with fourcc.open(model) as opened:
        assert found[1]["tokens"] == [1, *opened.tokenizer.encode("weatherFalse: Hi", bos=False), 2]


@contextlib.contextmanager
def on_a_terminal(model: Path) -> Iterator[tuple[int, int]]:
    """A talk on a terminal of its own: process and terminal."""
    process, terminal = pty.fork()
    if process == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a test run in the background ignores it
        command = [sys.executable, "-m", "fourcc", "run", str(model), "-m", "chat", "-q"]
        os.execve(sys.executable, command, {**os.environ, "TERM": "dumb"})  # noqa: S606 - no shell is the point
    try:
        yield process, terminal
    finally:
        os.close(terminal)


def until(terminal: int, text: str) -> str:
    """The prompt that a terminal shows until a text is there, or until the input is closed."""
    shown = ""
    while not text or text not in shown:
        assert select.select([terminal], [], [], 60)[0], f"nothing comes after {shown!r}"
        try:
            shown += os.read(terminal, 4096).decode(errors="replace")
        except OSError:  # closed on the other side
            break
    return shown


def test_a_person_is_asked_and_ctrl_d_ends_it(model: Path) -> None:
    """A terminal shows what is typed, so the command does not repeat it."""
    with on_a_terminal(model) as (process, terminal):
        until(terminal, "System prompt (optional): ")
        os.write(terminal, b"\n")
        until(terminal, "User: ")
        os.write(terminal, b"\x04")
        assert "Traceback" not in until(terminal, "")
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0


def test_ctrl_c_at_the_question_ends_it(model: Path) -> None:
    """It ends as elsewhere, without a traceback."""
    with on_a_terminal(model) as (process, terminal):
        until(terminal, "System prompt (optional): ")
        os.kill(process, signal.SIGINT)
        while not select.select([terminal], [], [], 1)[0]:  # the line editor misses one that comes while it starts
            os.kill(process, signal.SIGINT)
        shown = until(terminal, "")
        assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 130
        assert "fourcc: interrupted" in shown
        assert "Traceback" not in shown


class Stopped:
    """A talk whose first answer is stopped by a person."""

    def __init__(self) -> None:
        self.over, self.said, self.notes = False, list[str](), list[str]()

    def say(self, text: str) -> list[object]:
        """The first one is stopped, the second one fills the context."""
        self.said.append(text)
        self.over = len(self.said) == 2
        if not self.over:
            raise KeyboardInterrupt
        return []

    speed = type("Speed", (), {"ended": "length"})


def test_a_person_goes_on_after_stopping_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a terminal, an interrupt ends the command."""
    monkeypatch.setattr(chat, "ask", lambda _: "again")
    monkeypatch.setattr(chat.terminal, "on_terminal", lambda stream: stream is sys.stdin)
    talk, output = Stopped(), run_output.Text(talk=True, quiet=True)
    assert chat.talk(talk, "Hi", output, quiet=True) == "length"  # type: ignore[arg-type]
    assert talk.said == ["Hi", "again"]
    monkeypatch.setattr(chat.terminal, "on_terminal", lambda _: False)
    with pytest.raises(KeyboardInterrupt):
        chat.talk(Stopped(), "Hi", output, quiet=True)  # type: ignore[arg-type]


class Odd:
    """A tokenizer whose every token is a text that a terminal must not see as it is, or must."""

    def __init__(self, real: Tokenizer) -> None:
        self._real = real

    def __getattr__(self, name: str) -> object:
        return getattr(self._real, name)

    def stream(self) -> TextStream:
        """Always the same."""
        return ODD_STREAM


ODD_STREAM = type("Stream", (), {"push": lambda *_: "\u3000é\x1b[2J\u202e|", "finish": lambda _: ""})()
AS_ODD = """
import sys
import tests.cli.test_run as here
from fourcc.models.model import Model
real = Model.tokenizer.func
Model.tokenizer = property(lambda self: here.Odd(real(self)))
from fourcc.cli.app import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("mode", [[], ["-m", "chat", "-y", "", "-i", "Hello"]], ids=["text", "talk"])
def test_model_text_into_a_pipe_and_onto_a_terminal(model: Path, root: Path, mode: list[str]) -> None:
    """A pipe gets the model's text in UTF-8; a person's terminal is not cleared by it."""
    command = [sys.executable, "-c", AS_ODD, "run", str(model), *GREEDY, "-n", "40", "-q", *mode]
    env = {**os.environ, "PYTHONPATH": str(root), "PYTHONIOENCODING": "ascii"}
    piped = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, check=True, env=env).stdout
    assert "\u3000é\x1b[2J\u202e|\u3000é\x1b[2J".encode() in piped
    master, slave = pty.openpty()
    with subprocess.Popen(command, stdout=slave, stdin=subprocess.DEVNULL, env={**env, "PYTHONIOENCODING": "utf-8"}):
        os.close(slave)
        shown = until(master, "")
    os.close(master)
    assert "\u3000é\\x1b[2J\\u202e|\u3000é\\x1b[2J" in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_events_hold_the_text_as_it_is(run: Runner, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """JSON has its own escapes."""
    real = Model.tokenizer.func  # type: ignore[attr-defined]
    monkeypatch.setattr(Model, "tokenizer", property(lambda self: Odd(real(self))))
    found = events(run("run", model, *GREEDY, "-n", 8, "--json"))
    assert found[2]["text"] == "\u3000é\x1b[2J\u202e|"


def test_a_tokenizer_is_taken_for_a_model_bin(run: Runner, tiny: Path, model: Path, tmp_path: Path) -> None:
    """A model.bin without a tokenizer, or with another, takes it as a checkpoint does."""
    tokenizer = tiny.with_name("tiny_tokenizer.bin")
    bare = tmp_path / "bare.bin"
    assert run("convert", tiny, "-o", bare, "--format", "Q8_0,F16").code == 0
    ended = run("run", bare, "-n", 5)
    assert (ended.code, "no tokenizer" in ended.err, "Give one with -z FILE" in ended.err) == (3, True, True)
    expected = run("run", model, *GREEDY, "-n", 40, "-q").out
    for extra in ([], ["--format", "Q8_0,F16"]):
        ended = run("run", bare, "-z", tokenizer, *GREEDY, "-n", 40, *extra)
        assert (ended.code, ended.out) == (0, expected)
        assert "takes the place" not in ended.err
    assert run("eval", bare, "-z", tokenizer, "--text", Path(__file__), "--tokens", 20).code == 0
    same = run("run", model, "-z", tokenizer, *GREEDY, "-n", 40)
    assert (same.out, "takes the place" in same.err) == (expected, False)


def renamed(tokenizer: Path, path: Path, tokens: int = 384) -> Path:
    """The tokenizer with every `e` an `E`, and `count` entries."""
    data = bytearray(tokenizer.read_bytes())
    at = 4
    for _ in range(tokens):
        (length,) = struct.unpack_from("<I", data, at + 4)
        data[at + 8 : at + 8 + length] = data[at + 8 : at + 8 + length].replace(b"e", b"E")
        at += 8 + length
    path.write_bytes(bytes(data[:at]))
    return path


def test_a_tokenizer_in_place_of_the_stored_one(run: Runner, tiny: Path, model: Path, tmp_path: Path) -> None:
    """It is used and noted, with other weights or formats, too, and by `eval`."""
    real = tiny.with_name("tiny_tokenizer.bin")
    other = renamed(real, tmp_path / "other.bin")
    note = f"fourcc: note: {other} takes the place of the tokenizer that the model brings (tokenizer.bin)\n"
    expected = run("run", model, *GREEDY, "-n", 40, "-q").out
    for extra in ([], ["--format", "Q8_0,F16"]):
        ended = run("run", model, "-z", other, *GREEDY, "-n", 40, *extra)
        assert (ended.code, ended.out) == (0, expected.replace("e", "E"))
        assert ended.err.startswith(note)
    ended = run("eval", model, "-z", other, "--text", Path(__file__), "--tokens", 20)
    assert (ended.code, note in ended.err) == (0, True)


def test_a_tokenizer_of_another_model(run: Runner, tiny: Path, model: Path, tmp_path: Path) -> None:
    """Refused where it has more tokens than the model has rows, or is none; noted where it has fewer."""
    real = tiny.with_name("tiny_tokenizer.bin")
    (tmp_path / "more.bin").write_bytes(real.read_bytes() + struct.pack("<fI", 1e9, 2) + b"zz")
    ended = run("run", model, "-z", tmp_path / "more.bin", "-n", 9, "-i", "zz")
    told = "the tokenizer belongs to another model, or is cut: found 385 tokens, expected at most 384, the model's"
    assert (ended.code, f"{tmp_path / 'more.bin'}: {told} vocab_size" in ended.err) == (3, True)
    ended = run("run", model, "-z", renamed(real, tmp_path / "fewer.bin", 383), "-n", 3)
    told = "the tokenizer has 383 tokens, the model rows for 384: those beyond are padding, never drawn"
    assert (ended.code, f"fourcc: note: {told}\n" in ended.err) == (0, True)
    (tmp_path / "none.bin").write_bytes(b"%PDF-1.7")
    ended = run("run", model, "-z", tmp_path / "none.bin")
    assert (ended.code, f"{tmp_path / 'none.bin'}: not a tokenizer" in ended.err) == (3, True)


def test_a_signal_ends_a_talk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked for another message after SIGTERM."""
    monkeypatch.setattr(chat, "ask", lambda _: "again")
    monkeypatch.setattr(chat.terminal, "on_terminal", lambda _: True)

    def say(_: str) -> None:
        raise TerminatedError

    talk = Stopped()
    talk.say = say  # type: ignore[method-assign,assignment]
    with pytest.raises(TerminatedError):
        chat.talk(talk, "Hi", run_output.Text(talk=True, quiet=True), quiet=True)  # type: ignore[arg-type]
