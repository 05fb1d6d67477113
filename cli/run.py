"""`fourcc run`: text from a model, with the flags of llama2.c."""

from __future__ import annotations

import os
import stat
import sys
import time
from contextlib import ExitStack
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import attrs
import typer

from fourcc.cli.render import terminal
from fourcc.cli.shared import chat_options
from fourcc.cli.shared import options as shared
from fourcc.cli.shared.chat_script import ChatScript
from fourcc.cli.shared.open_model import asked_rules, model_to_run
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from fourcc.cli.render.run_output import Output
    from fourcc.models.chat import Conversation
    from fourcc.models.model import ActivationMode, Model

EPILOG = """\b
Examples:
  fourcc run model.bin --prompt "One day"
  fourcc run model.bin -t 0 -n 200
  fourcc run model.bin --temperature 0.7 --top-p 0.95 --max-tokens 100
  fourcc run stories.bin -z tokenizer.bin --format Q8_0,F16
  echo "Once upon a time" | fourcc run model.bin
  fourcc run llama-2-7b-chat.gguf -m chat --system "You answer in rhymes."
  fourcc run qwen3.gguf -m chat --set enable_thinking=false
  fourcc run model.bin --special -i "<|im_start|>user"
  fourcc run model.bin -i "One day" --json | jq -rj 'select(.event != "end").text // empty'

The letters mean what they mean in llama2.c: -n counts the prompt's tokens, too, and a number below 0 is taken for 0;
--max-tokens counts new ones. A checkpoint is converted to a temporary file first; --format, --recipe or --policy say to
what. Speed goes to stderr.

In a chat each line of standard input is a message; --max-tokens counts an answer's
tokens, -n those of the whole talk. On a terminal the system prompt is asked for unless --system says it. Ctrl-C stops
an answer, Ctrl-D ends the talk."""

STEPS = 256  # tokens of a text, as in llama2.c

Temperature = Annotated[
    float,
    typer.Option("--temperature", "--temp", "-t", metavar="T", help="Temperature; 0: always the likeliest token."),
]
TopP = Annotated[
    float, typer.Option("--top-p", "-p", metavar="P", help="Share of the probability that is drawn from; 1: all.")
]
Seed = Annotated[
    int,
    typer.Option(
        "--seed", "-s", metavar="N", help="Seed of the random numbers.  [default: the time]", show_default=False
    ),
]
Steps = Annotated[
    int | None,
    typer.Option(
        "-n",
        metavar="N",
        help="Tokens of the text with its prompt; 0: as many as the context holds.  [default: 256; in a chat 0]",
    ),
]
MaxTokens = Annotated[
    int | None,
    typer.Option("--max-tokens", metavar="N", help="New tokens, without the prompt's; in a chat those of an answer."),
]
Prompt = Annotated[
    str | None,
    typer.Option(
        "--prompt",
        "-i",
        metavar="TEXT",
        help="How the text begins, or the first message; -: as standard input says.  [default: a pipe's]",
    ),
]
Tokenizer = Annotated[
    Path | None, typer.Option("-z", "--tokenizer", metavar="FILE", help="Tokenizer to use in place of the model's.")
]
NoVerify = Annotated[
    bool, typer.Option("--no-verify", help="Do not compare tensors with their checksums when they are first used.")
]
Mode = Annotated[
    Literal["generate", "chat"], typer.Option("--mode", "-m", metavar="generate|chat", help="Write a text, or talk.")
]
Special = Annotated[
    bool, typer.Option("--special", help="Names of special tokens in the prompt stand for these tokens.")
]
Json = Annotated[bool, typer.Option("--json", help="Print events, one JSON object a line, for errors too.")]


@attrs.frozen
class Settings:
    """The settings of a run, as events report them, with the seed that was used, so that the text can be made again."""

    mode: str
    temperature: float
    top_p: float
    seed: int
    steps: int | None
    max_tokens: int | None
    threads: int | None
    activations: ActivationMode

    def __attrs_post_init__(self) -> None:
        """Raises UsageError for numbers that mean nothing, before a model is opened."""
        if not isfinite(self.temperature):
            raise UsageError("bad value of --temperature, -t", found=self.temperature, expected="0 or more, and finite")
        if not isfinite(self.top_p):
            raise UsageError("bad value of --top-p, -p", found=self.top_p, expected="a share, 0 to 1")
        if self.max_tokens is not None and self.max_tokens < 1:
            raise UsageError("bad value of --max-tokens", found=self.max_tokens, expected="1 or more")

    @property
    def event(self) -> dict[str, object]:
        """The settings in the words of the event ``start``."""
        told = {"topp" if name == "top_p" else name: value for name, value in attrs.asdict(self).items()}
        usual = 0 if self.mode == "chat" or self.max_tokens is not None else STEPS
        return {**told, "steps": usual if self.steps is None else self.steps}


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(run)


def run(  # noqa: PLR0913 - one an option
    source: shared.Source,
    *,
    temperature: Temperature = 1.0,
    top_p: TopP = 0.9,
    seed: Seed = 0,
    steps: Steps = None,
    max_tokens: MaxTokens = None,
    prompt: Prompt = None,
    mode: Mode = "generate",
    system: chat_options.System = None,
    template: chat_options.Template = None,
    tools: chat_options.Tools = None,
    options: chat_options.Variables = None,
    special: Special = False,
    tokenizer: Tokenizer = None,
    policy: shared.PolicyFile = None,
    recipe: shared.Recipe = None,
    formats: shared.Formats = None,
    threads: shared.Threads = None,
    activations: shared.Activations = "dynamic",
    no_verify: NoVerify = False,
    quiet: shared.Quiet = False,
    as_json: Json = False,
) -> None:
    """Generate text with a model, or talk with it.

    The same seed gives the same text as llama2.c does on float32 weights.
    """
    from fourcc.cli.render.run_output import Lines, Text

    script = ChatScript(template, tools, tuple(options or ()))
    talks = _talks(mode, script, system, special=special)
    settings = Settings(mode, temperature, top_p, seed or int(time.time()), steps, max_tokens, threads, activations)
    output = Lines() if as_json else Text(talk=talks, quiet=quiet)
    with ExitStack() as stack:
        rules = asked_rules(policy, formats, recipe)
        model = model_to_run(source, tokenizer, rules, stack, quiet=quiet, verify=not no_verify, as_json=as_json)
        if talks:
            _talk(model, settings, output, prompt, system, script, quiet=quiet)
        else:
            _generate(model, settings, output, _beginning(prompt), special=special)
        if model.range_use is not None:
            terminal.notes([str(model.range_use)], quiet=quiet)


def _talks(mode: str, script: ChatScript, system: str | None, *, special: bool) -> bool:
    """Whether this is a chat. Raises UsageError for options of a chat elsewhere, and the other way round."""
    talks = mode == "chat"
    if not talks and (system is not None or script != ChatScript()):
        raise UsageError("--system (-y), --template, --tools and --set belong to a chat", hint="Add -m chat.")
    if talks and special:
        raise UsageError("--special does not belong to a chat: what a user types there is text")
    return talks


def _generate(model: Model, settings: Settings, output: Output, prompt: str, *, special: bool) -> None:
    from fourcc.forecasting.remembered_runs import remember_run
    from fourcc.models.generate import Speed

    speed, reason = Speed(), "error"
    output.start({"model": str(model.path), **settings.event})
    pieces = model.pieces(
        prompt,
        steps=settings.steps,
        max_tokens=settings.max_tokens,
        temperature=settings.temperature,
        top_p=settings.top_p,
        seed=settings.seed,
        threads=settings.threads,
        activations=settings.activations,
        special=special,
        speed=speed,
    )
    try:
        for piece in pieces:
            output.piece(piece)
        reason = speed.ended
    except KeyboardInterrupt:
        reason = "interrupted"
        raise
    finally:
        output.end(reason, speed)
    remember_run(model, speed, settings.threads)


def _talk(
    model: Model,
    settings: Settings,
    output: Output,
    first: str | None,
    system: str | None,
    script: ChatScript,
    *,
    quiet: bool,
) -> None:
    from fourcc.cli.shared.chat import talk

    conversation = _conversation(model, settings, script)
    terminal.notes(conversation.notes, quiet=quiet)
    output.start({"model": str(model.path), "template": conversation.template.name, **settings.event})
    reason = "error"
    try:
        conversation.system = _asked_system() if system is None else system
        reason = talk(conversation, None if first == "-" else first, output, quiet=quiet)
        model.refuse_change()
    except KeyboardInterrupt:
        reason = "interrupted"
        raise
    finally:
        output.end(reason, conversation.speed)


def _asked_system() -> str:
    """The system prompt that a person at a terminal types; elsewhere there is none, and each line is a message."""
    from fourcc.cli.shared.chat import ask

    return (ask("System prompt (optional): ") or "") if terminal.on_terminal(sys.stdin) else ""


def _conversation(model: Model, settings: Settings, script: ChatScript) -> Conversation:
    return model.chat(
        template=script.template,
        tools=script.functions(),
        options=script.variables(),
        steps=settings.steps or 0,
        max_tokens=settings.max_tokens,
        temperature=settings.temperature,
        top_p=settings.top_p,
        seed=settings.seed,
        threads=settings.threads,
        activations=settings.activations,
    )


def _beginning(prompt: str | None) -> str:
    """The beginning of the text: as given, or the contents of a pipe or file at standard input."""
    if prompt is not None and prompt != "-":
        return prompt
    if sys.stdin is None or (prompt is None and not _is_fed()):
        return ""
    return sys.stdin.read().removesuffix("\n")


def _is_fed() -> bool:
    """Whether standard input is a pipe or a file. A terminal, or nothing, is not waited for."""
    try:
        kind = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, ValueError):
        return False
    return stat.S_ISFIFO(kind) or stat.S_ISREG(kind)
