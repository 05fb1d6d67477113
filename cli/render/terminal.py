"""The two streams: stdout takes data, stderr progress and errors; what came out of a file is made safe for both."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Iterable
from typing import TextIO
from unicodedata import category

from fourcc.errors import OutputError

# Unicode's Bidi_Control: marks, embeddings, overrides and isolates
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


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
    """Writes a piece of a model's text to stdout at once, without a new line at its end. Raises as `out` does.

    A person's terminal gets it harmless; a file and a pipe get it as it is, in UTF-8.
    """
    stream = stdout()
    try:
        if on_terminal(stream):
            stream.write(harmless(text))
        else:
            stream.flush()
            stream.buffer.write(text.encode(errors="backslashreplace"))  # a lone surrogate is no text
        stream.flush()
    except OSError as error:
        raise lost(error) from error


def harmless(text: str) -> str:
    r"""A text with all that a terminal acts on shown as an escape, but for new lines and tabs.

    That is control characters, what turns the direction of writing, and lone surrogates. What joins characters or parts
    words (U+200D, U+00A0, U+00AD, U+3000) stays: it is part of what is read.

    >>> print(harmless("a\x1b[2Jb\u202ec"))
    a\x1b[2Jb\u202ec
    """
    return "".join(
        char.encode("unicode_escape").decode("ascii") if char not in "\n\t" and _acts(char) else char for char in text
    )


def _acts(char: str) -> bool:
    return category(char) in {"Cc", "Cs"} or char in BIDI


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
