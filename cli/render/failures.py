"""From an exception to an exit code, a message, and an object for ``--json``."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping

import attrs
import typer

from fourcc.cli.render import json_documents, terminal
from fourcc.errors import FourccError, PolicyError, memory_is_short, shown

HEAD = "fourcc: error:"
USAGE, IO, INTERNAL = 2, 4, 70  # 70 is EX_SOFTWARE of sysexits.h: a bug, which must not look like an answer

ParseError = typer.BadParameter.__base__  # typer's usage errors; their base class has other names in other versions


@attrs.frozen
class Failure:
    """A run that failed.

    Attributes:
        exit_code: the process's.
        kind: the error's class.
        message: one line.
        details: further lines, for people.
        fields: further fields of the JSON object.
    """

    exit_code: int
    kind: str
    message: str
    details: tuple[str, ...] = ()
    fields: Mapping[str, object] = attrs.field(factory=dict)

    def show(self, *, as_json: bool) -> None:
        """Reports the failure on stderr, and as an object on stdout if JSON was asked for."""
        if as_json:
            terminal.out(self.line)
            terminal.flush()
        head = f"{terminal.styled(HEAD, 'bold', 'red', stream=sys.stderr)} "
        terminal.err(head + self.text.removeprefix(f"{HEAD} "))

    @property
    def line(self) -> str:
        """The JSON object, in one line."""
        error = {"kind": self.kind, "message": self.message, "exit_code": self.exit_code, **self.fields}
        return json_documents.in_one_line("error", {"error": error})

    @property
    def text(self) -> str:
        """The text for people."""
        return "\n".join([f"{HEAD} {self.message}", *self.details])


def failure(error: BaseException) -> Failure:
    """The failure that an error means to the user, with the notes that were added to it."""
    found = _failure(error)
    notes = (terminal.safe(note) for note in getattr(error, "__notes__", ()))
    return attrs.evolve(found, details=(*found.details, *notes))


def _failure(error: BaseException) -> Failure:
    if isinstance(error, FourccError):
        return _known(error)
    if memory_is_short(error):
        return Failure(IO, "MemoryError", "not enough memory")
    if isinstance(error, OSError):
        return _system(error)
    if ParseError is not None and isinstance(error, ParseError):
        return _usage(error)
    what = f"{type(error).__name__}: {shown(error)}"
    hint = "This is a bug in fourcc; FOURCC_DEBUG=1 shows where."
    return Failure(INTERNAL, "InternalError", f"internal error: {what}. {hint}")


def traceback_of(error: BaseException) -> str:
    """The traceback, for FOURCC_DEBUG=1."""
    return "".join(traceback.format_exception(error)).rstrip()


def _known(error: FourccError) -> Failure:
    names = ("file", "tensor", "offset", "found", "expected", "hint", "worker")
    fields: dict[str, object] = {name: _plain(getattr(error, name)) for name in names}
    message, details = str(error), list[str]()
    if isinstance(error, PolicyError):
        message, *details = message.splitlines()
        fields["problems"] = [
            {"path": each.path, "line": each.line, "message": each.message, "hint": each.hint}
            for each in error.problems
        ]
    return Failure(
        error.exit_code, type(error).__name__, terminal.safe(message), tuple(map(terminal.safe, details)), fields
    )


def _system(error: OSError) -> Failure:
    reason = error.strerror or str(error)
    message = reason if error.filename is None else f"{error.filename}: {reason}"
    file = None if error.filename is None else str(error.filename)
    return Failure(IO, "OSError", terminal.safe(message), fields={"file": file})


def _usage(error: BaseException) -> Failure:
    """A command line that cannot be parsed."""
    message = error.format_message()  # type: ignore[attr-defined]  # as every version's has it
    context = getattr(error, "ctx", None)
    command = "fourcc" if context is None else context.command_path
    end = "" if message.endswith((".", "?")) else "."
    return Failure(USAGE, "UsageError", f"{terminal.safe(message)}{end} `{command} --help` shows the usage.")


def _plain(value: object) -> object:
    """A value of an error as JSON can hold it."""
    plain = value is None or isinstance(value, str) or (isinstance(value, int) and -(2**63) <= value < 2**63)
    return value if plain else shown(value)
