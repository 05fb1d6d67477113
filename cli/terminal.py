"""The two streams: stdout takes data, stderr progress and errors; what came out of a file is made safe for both."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterable
from typing import TextIO

from fourcc.errors import OutputError


class PipeClosedError(Exception):
    """Whoever read our stdout has gone, as `head` does; no failure, but the end."""


def safe(text: str) -> str:
    r"""A text from a file, with all that a terminal could act on shown as an escape.

    Control characters, ESC among them, direction marks and lone surrogates are no printable characters.

    >>> print(safe("a\x1b[2Jb\u202ec"))
    a\x1b[2Jb\u202ec
    """
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def out(text: str) -> None:
    """Writes a line to stdout.

    Raises:
        PipeClosedError: nobody reads.
        OutputError: it cannot be written, as on a full disk.
    """
    try:
        stdout().write(f"{text}\n")
    except OSError as error:
        raise lost(error) from error


def write(text: str) -> None:
    """Writes a piece of text to stdout at once, without a new line at its end. Raises as `out` does.

    New lines and tabs in it stay; what else a terminal could act on becomes an escape.
    """
    try:
        stdout().write("".join(char if char in "\n\t" else safe(char) for char in text))
        stdout().flush()
    except OSError as error:
        raise lost(error) from error


def flush() -> None:
    """Makes sure that what was written to stdout has arrived. Raises as `out` does."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError as error:
        raise lost(error) from error


def stdout() -> TextIO:
    """The stream itself. Raises OutputError where it is closed."""
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    return sys.stdout


def lost(error: OSError) -> Exception:
    """What a failed write to stdout is raised as; the stream then leads nowhere, so that its last flush cannot fail."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    if isinstance(error, BrokenPipeError):
        return PipeClosedError()
    return OutputError(f"cannot write to standard output: {error.strerror or error}")


def err(text: str) -> None:
    """Writes a line to stderr; that it cannot be written is no reason to fail."""
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{text}\n")
            sys.stderr.flush()


def notes(texts: Iterable[str], *, quiet: bool = False) -> None:
    """Things to know, for stderr."""
    for text in () if quiet else texts:
        err(f"fourcc: note: {safe(text)}")


def on_terminal(stream: TextIO | None) -> bool:
    """Whether a person sees the stream's text as it comes."""
    return stream is not None and stream.isatty()


def width(stream: TextIO) -> int:
    """Columns of the terminal that a stream leads to; ``COLUMNS`` overrides it."""
    given = os.environ.get("COLUMNS", "")
    if given.isascii() and given.isdigit() and int(given):
        return int(given)
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return shutil.get_terminal_size().columns
