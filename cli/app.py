"""`fourcc`: the list of commands, and how all of them start, report and end.

Exit codes: 0 fine, 1 a check failed, 2 usage or policy, 3 bad input, 4 I/O, 5 a plugin, 70 a bug, 130 interrupted,
128 + n ended by signal n; 141 is the code of a closed pipe, as of every program that `head` cuts short.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Annotated, ClassVar

import typer
from typer.main import get_command

from fourcc.cli.render import help_pages, terminal
from fourcc.cli.shared import compiling, completion, downloading, signals, slow_products
from fourcc.cli.shared.command_group import CommandGroup
from fourcc.cli.shared.completion import COMPLETING
from fourcc.errors import FourccError

BROKEN_PIPE = 128 + 13  # 13 is SIGPIPE
EPILOG = "FOURCC_DEBUG=1 shows where an error came from."

FAILED, USAGE, INTERRUPTED = 1, 2, 130
GC_THRESHOLD = 100_000  # imports make many objects and no garbage: collecting takes a tenth of a listing's time
# Purpose -> command -> module. A module is imported only for its command, so that no command pays for another.
PURPOSES = {
    "Make a smaller model": {
        "example": "example",
        "quantize": "quantize",
        "convert": "convert",
        "export": "export",
    },
    "Cut a model into shards, and join them": {"split": "split", "join": "join"},
    "Look into a model": {
        "inspect": "show",
        "report": "report",
        "stats": "stats",
        "diff": "diff",
        "verify": "verify",
        "extract": "extract",
    },
    "Use it, and measure what it lost": {"run": "run", "eval": "eval"},
    "Find the best mix of formats": {
        "calibrate": "calibrate",
        "measure": "measure",
        "allocate": "allocate",
        "shootout": "shootout",
        "policy": "policy",
    },
    "Formats": {"formats": "formats", "plugin": "plugin"},
    "Speed": {"bench": "bench", "bench-models": "bench_models", "cache": "cache"},
}
COMMANDS = {name: module for commands in PURPOSES.values() for name, module in commands.items()}


class FourccGroup(CommandGroup):
    """The commands by purpose."""

    purposes: ClassVar[Mapping[str, Sequence[str]]] = {purpose: list(names) for purpose, names in PURPOSES.items()}


def build(arguments: Sequence[str]) -> typer.Typer:
    """The application, with the command that the arguments name, or with all commands if they name none."""
    app = help_pages.Commands(
        name="fourcc",
        cls=FourccGroup,
        help="Quantization formats for language-model weights, and the mixed-precision files made of them.",
        epilog=EPILOG,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(entry)
    words = arguments or completion.words_typed()
    named = next((word for word in words if not word.startswith("-")), None)
    for module in [COMMANDS[named]] if named in COMMANDS else COMMANDS.values():
        import_module(f"fourcc.cli.{module}").register(app)
    return app


def entry(
    context: typer.Context,
    *,
    version: Annotated[bool, typer.Option("--version", "-V", help="Print the version.", is_eager=True)] = False,
) -> None:
    """The options before the command."""
    if version:
        from fourcc import __version__

        terminal.out(f"fourcc {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        terminal.err(context.get_help() if terminal.coloured(sys.stderr) else terminal.plain(context.get_help()))
        raise typer.Exit(USAGE)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: the words after `fourcc`; None: the process's.

    Returns:
        The exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    gc.set_threshold(GC_THRESHOLD)
    _claim_streams()
    with signals.as_exceptions() as came:
        try:
            code = _whole(given)
        except KeyboardInterrupt:
            code = INTERRUPTED
    if code == INTERRUPTED:
        code = 128 + came[0] if came else INTERRUPTED
        terminal.err(f"fourcc: {'terminated' if came else 'interrupted'}")
    if arguments is None:
        gc.freeze()  # the process ends, so nothing needs to be collected any more
    return code


def _whole(given: list[str]) -> int:
    try:
        code = _run(given)
        terminal.flush()
    except terminal.PipeClosedError:
        return BROKEN_PIPE
    except Exception as error:  # noqa: BLE001 - the last place where one can be turned into a message
        return FAILED if COMPLETING in os.environ else _report(error, given)  # a message would spoil the line
    return code


def _run(given: list[str]) -> int:
    options = given[: given.index("--")] if "--" in given else given
    quiet = not {"-q", "--quiet"}.isdisjoint(options)
    compiling.tell(quiet=quiet)
    downloading.tell(quiet=quiet)
    try:
        with slow_products.noted(quiet=quiet):
            code = get_command(build(given)).main(given, prog_name="fourcc", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def _report(error: Exception, given: list[str]) -> int:
    from fourcc.cli.render import failures

    failure = failures.failure(error)
    if os.environ.get("FOURCC_DEBUG"):
        terminal.err(failures.traceback_of(error))
    options = given[: given.index("--")] if "--" in given else given
    with contextlib.suppress(terminal.PipeClosedError, FourccError):
        failure.show(as_json="--json" in options)
        terminal.flush()
    return failure.exit_code


def _claim_streams() -> None:
    """Makes the standard streams safe to use.

    A closed stream is opened on the null device, so that no output file gets its number. Characters that stdout's
    encoding lacks are escaped.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
