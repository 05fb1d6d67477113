"""`fourcc run`: text from a model, with the flags of llama2.c."""

from __future__ import annotations

import os
import stat
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import attrs
import typer

from fourcc.cli.render import terminal
from fourcc.cli.shared import options as shared
from fourcc.cli.shared.chat_script import ChatScript
from fourcc.cli.shared.open_model import model_to_run
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from fourcc.cli.render.run_output import Output
    from fourcc.models.chat import Conversation
    from fourcc.models.model import ActivationMode, Model

EPILOG = """\b
Examples:
  fourcc run model.bin -i "One day"
  fourcc run model.bin -t 0 -n 200
  fourcc run stories.bin -z tokenizer.bin --format Q8_0,F16
  echo "Once upon a time" | fourcc run model.bin
  fourcc run llama-2-7b-chat.gguf -m chat -y "You answer in rhymes."
  fourcc run qwen3.gguf -m chat --set enable_thinking=false
  fourcc run model.bin --special -i "<|im_start|>user"
  fourcc run model.bin -i "One day" --json | jq -rj 'select(.event != "end").text // empty'

A checkpoint is converted to a temporary file first; --format or --policy say to what. Speed goes to stderr.
In chat mode each line of standard input is a message; without -y the first is the system prompt.
Ctrl-C stops an answer, Ctrl-D ends the talk."""

STEPS = 256  # tokens of a text, as in llama2.c

Temperature = Annotated[float, typer.Option("-t", help="Temperature; 0: always the likeliest token.")]
TopP = Annotated[float, typer.Option("-p", help="Share of the probability that is drawn from.")]
Seed = Annotated[int, typer.Option("-s", help="Seed of the random numbers; 0: the time.")]
Steps = Annotated[
    int | None,
    typer.Option("-n", help="Tokens of the text; 0: as many as the context holds.  [default: 256; in a chat 0]"),
]
Prompt = Annotated[
    str | None,
    typer.Option(
        "-i", help="How the text begins, or the first message; -: as standard input says.  [default: a pipe's]"
    ),
]
Tokenizer = Annotated[
    Path | None, typer.Option("-z", "--tokenizer", metavar="FILE", help="Tokenizer to use in place of the model's.")
]
NoVerify = Annotated[
    bool, typer.Option("--no-verify", help="Do not compare tensors with their checksums when they are first used.")
]
Mode = Annotated[Literal["generate", "chat"], typer.Option("-m", help="Write a text, or talk.")]
System = Annotated[
    str | None, typer.Option("-y", help="In a chat: what the model is told first.  [default: it is asked for]")
]
Template = Annotated[
    str | None,
    typer.Option(
        "--template",
        metavar="NAME",
        help="In a chat: how messages are written for the model, by name, or FILE.jinja.  [default: as the model says]",
    ),
]
Tools = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="In a chat: a JSON list of the functions that the model may ask for."),
]
Options = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="NAME=VALUE", help="In a chat: a variable of the template: enable_thinking=false."),
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
    topp: float
    seed: int
    steps: int
    threads: int | None
    activations: ActivationMode


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(run)


def run(  # noqa: PLR0913 - one an option
    source: shared.Source,
    *,
    temperature: Temperature = 1.0,
    topp: TopP = 0.9,
    seed: Seed = 0,
    steps: Steps = None,
    prompt: Prompt = None,
    mode: Mode = "generate",
    system: System = None,
    template: Template = None,
    tools: Tools = None,
    options: Options = None,
    special: Special = False,
    tokenizer: Tokenizer = None,
    policy: shared.PolicyFile = None,
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
    length = (0 if talks else STEPS) if steps is None else steps
    settings = Settings(mode, temperature, topp, seed or int(time.time()), length, threads, activations)
    output = Lines() if as_json else Text(talk=talks, quiet=quiet)
    with ExitStack() as stack:
        model = model_to_run(
            source, tokenizer, policy, formats, stack, quiet=quiet, verify=not no_verify, as_json=as_json
        )
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
        raise UsageError("-y, --template, --tools and --set belong to a chat", hint="Add -m chat.")
    if talks and special:
        raise UsageError("--special does not belong to a chat: what a user types there is text")
    return talks


def _generate(model: Model, settings: Settings, output: Output, prompt: str, *, special: bool) -> None:
    from fourcc.models.generate import Speed

    speed, reason = Speed(), "error"
    output.start({"model": str(model.path), **attrs.asdict(settings)})
    pieces = model.pieces(
        prompt,
        steps=settings.steps,
        temperature=settings.temperature,
        topp=settings.topp,
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
    from fourcc.cli.shared.chat import ask, talk

    conversation = _conversation(model, settings, script)
    terminal.notes(conversation.notes, quiet=quiet)
    output.start({"model": str(model.path), "template": conversation.template.name, **attrs.asdict(settings)})
    reason = "error"
    try:
        conversation.system = (ask("System prompt (optional): ") or "") if system is None else system
        reason = talk(conversation, None if first == "-" else first, output, quiet=quiet)
        model.refuse_change()
    except KeyboardInterrupt:
        reason = "interrupted"
        raise
    finally:
        output.end(reason, conversation.speed)


def _conversation(model: Model, settings: Settings, script: ChatScript) -> Conversation:
    return model.chat(
        template=script.template,
        tools=script.functions(),
        options=script.variables(),
        steps=settings.steps,
        temperature=settings.temperature,
        topp=settings.topp,
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
