"""The two streams: stdout takes data, stderr progress and errors. Text from files is made safe for both.

Paths of files that come from elsewhere, and lie in a temporary folder while they are read, are written as they are
called there.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable
from typing import TextIO
from unicodedata import category

from fourcc.errors import OutputError
from fourcc.files.backing import spelled

# Unicode's Bidi_Control: marks, embeddings, overrides and isolates
BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

# The first six of a terminal's 16 named colours, which its theme makes readable on its background, and bold
STYLES = {"bold": 1, "red": 31, "green": 32, "yellow": 33, "blue": 34, "magenta": 35, "cyan": 36}
STYLED = re.compile(r"\x1b\[[0-9;]*m")  # the escapes that `styled` writes
FORCED = ("FORCE_COLOR", "CLICOLOR_FORCE")


# Removes the line of progress that is on the terminal; None where there is none. Whoever writes a line calls it first.
on_the_way: Callable[[], None] | None = None


class PipeClosedError(Exception):
    """The reader of our stdout has gone, as `head` does. This is the end, not a failure."""


def safe(text: str) -> str:
    r"""A text from a file, with every character that a terminal could act on shown as an escape.

    These are control characters (ESC among them), direction marks and lone surrogates.

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
        OutputError: the line cannot be written, as on a full disk.
    """
    _make_way()
    try:
        stdout().write(f"{spelled(text)}\n")
    except OSError as error:
        raise lost(error) from error


def write(text: str) -> None:
    """Writes a piece of a model's text to stdout at once, without a new line at its end. Raises as `out` does.

    A terminal gets it with escapes; a file and a pipe get it as it is, in UTF-8.
    """
    stream = stdout()
    try:
        if on_terminal(stream):
            stream.write(harmless(text))
        else:
            stream.flush()
            stream.buffer.write(text.encode(errors="backslashreplace"))  # a lone surrogate cannot be encoded
        stream.flush()
    except OSError as error:
        raise lost(error) from error


def harmless(text: str) -> str:
    r"""A text with every character that a terminal acts on shown as an escape, except new lines and tabs.

    These are control characters, marks that change the direction of writing, and lone surrogates. Characters that join
    or separate words (U+200D, U+00A0, U+00AD, U+3000) stay: they are part of the text.

    >>> print(harmless("a\x1b[2Jb\u202ec"))
    a\x1b[2Jb\u202ec
    """
    return "".join(
        char.encode("unicode_escape").decode("ascii") if char not in "\n\t" and _acts(char) else char for char in text
    )


def _acts(char: str) -> bool:
    return category(char) in {"Cc", "Cs"} or char in BIDI


def flush() -> None:
    """Flushes stdout, so that a failed write shows. Raises as `out` does."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError as error:
        raise lost(error) from error


def stdout() -> TextIO:
    """The stream itself. Raises OutputError if it is closed."""
    if sys.stdout is None:
        raise OutputError("standard output is closed")
    return sys.stdout


def lost(error: OSError) -> Exception:
    """The error for a failed write to stdout, which then leads to the null device: its last flush cannot fail."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)
    if isinstance(error, BrokenPipeError):
        return PipeClosedError()
    return OutputError(f"cannot write to standard output: {error.strerror or error}")


def err(text: str) -> None:
    """Writes a line to stderr. A failure to write it is ignored."""
    _make_way()
    if sys.stderr is not None:
        with contextlib.suppress(OSError):
            sys.stderr.write(f"{spelled(text)}\n")
            sys.stderr.flush()


def _make_way() -> None:
    if on_the_way is not None:
        on_the_way()


def notes(texts: Iterable[str], *, quiet: bool = False) -> None:
    """Writes notes to stderr."""
    head = styled("fourcc: note:", "yellow", stream=sys.stderr)
    for text in () if quiet else texts:
        err(f"{head} {safe(text)}")


def styled(text: str, *names: str, stream: TextIO | None = None) -> str:
    """A text in colours of `STYLES`, if the stream shows them; else as it is.

    Args:
        text: safe for a terminal.
        names: of styles.
        stream: it goes to; None: stdout.
    """
    if not (names and text and coloured(sys.stdout if stream is None else stream)):
        return text
    return f"\x1b[{';'.join(str(STYLES[name]) for name in names)}m{text}\x1b[0m"


def plain(text: str) -> str:
    """A text without its styles."""
    return STYLED.sub("", text)


def coloured(stream: TextIO | None) -> bool:
    """Whether a stream shows colours: a terminal does, unless it is dumb.

    NO_COLOR says no; else FORCE_COLOR and CLICOLOR_FORCE say yes. An empty value says nothing, nor does 0 in these.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if any(os.environ.get(name, "") not in {"", "0"} for name in FORCED):
        return True
    if os.name == "nt" and not {"TERM", "WT_SESSION", "ANSICON"} & os.environ.keys():
        return False  # an old console shows escapes as they are
    return on_terminal(stream) and os.environ.get("TERM") != "dumb"


def on_terminal(stream: TextIO | None) -> bool:
    """Whether the stream leads to a terminal."""
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
