"""`fourcc run`: text from a model, with the flags of llama2.c."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fourcc.cli import options, terminal
from fourcc.cli.opened import opened

if TYPE_CHECKING:
    from fourcc.models.generate import Speed

EPILOG = """\b
Examples:
  fourcc run model.bin -i "One day"
  fourcc run model.bin -t 0 -n 200
  fourcc run stories.bin -z tokenizer.bin --format Q8_0,F16
  echo "Once upon a time" | fourcc run model.bin -i -

A checkpoint is converted to a temporary file first; --format or --policy say to what. Speed goes to stderr."""

Temperature = Annotated[float, typer.Option("-t", help="Temperature; 0: always the likeliest token.")]
TopP = Annotated[float, typer.Option("-p", help="Share of the probability that is drawn from.")]
Seed = Annotated[int, typer.Option("-s", help="Seed of the random numbers; 0: the time.")]
Steps = Annotated[int, typer.Option("-n", help="Tokens of the text; 0: as many as the context holds.")]
Prompt = Annotated[str, typer.Option("-i", help="How the text begins; -: read it from standard input.")]
Tokenizer = Annotated[Path | None, typer.Option("-z", "--tokenizer", metavar="FILE", help="Tokenizer of a checkpoint.")]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(run)


def run(  # noqa: PLR0913 - one an option
    source: options.Source,
    *,
    temperature: Temperature = 1.0,
    topp: TopP = 0.9,
    seed: Seed = 0,
    steps: Steps = 256,
    prompt: Prompt = "",
    tokenizer: Tokenizer = None,
    policy: options.PolicyFile = None,
    formats: options.Formats = None,
    threads: options.Threads = None,
    quiet: options.Quiet = False,
) -> None:
    """Generate text with a model.

    The same seed gives the same text as llama2.c does on float32 weights.
    """
    from fourcc.models.generate import Speed

    begin = sys.stdin.read().removesuffix("\n") if prompt == "-" else prompt
    speed = Speed()
    with ExitStack() as stack:
        model = opened(source, tokenizer, policy, formats, stack, quiet=quiet)
        pieces = model.stream(
            begin, steps=steps, temperature=temperature, topp=topp, seed=seed, threads=threads, speed=speed
        )
        try:
            for piece in pieces:
                terminal.write(piece)
        finally:
            terminal.write("\n")
            _report(speed, quiet=quiet)


def _report(speed: Speed, *, quiet: bool) -> None:
    if quiet or not speed.tokens:
        return
    prompt = f"prompt: {speed.prompt_tokens} tokens, {speed.prompt_rate:.1f} tok/s; " if speed.prompt_tokens > 1 else ""
    terminal.err(f"{prompt}achieved tok/s: {speed.rate:.6f}")
