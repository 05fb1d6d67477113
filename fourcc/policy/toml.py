"""TOML text -> its tree, and the line of every key.

The standard library parses TOML, but does not tell lines, and a few malicious kilobytes cost it seconds or overflow
the interpreter's stack. So a flat pass over the tokens enforces limits first, and a second pass over the valid text
notes the line of each key.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator

import attrs

from fourcc.errors import PolicyError, Problem
from fourcc.policy.places import Path, Places

MAX_BYTES = 64 << 10
MAX_DEPTH = 16  # nesting of arrays and inline tables
MAX_PARTS = 16  # parts of a dotted key
MAX_DIGITS = 20  # digits of a number: one more than 64 bits need

_TOO_LONG = Problem("", f"longer than {MAX_BYTES} bytes")

# An unclosed quote matches no alternative: the scan ends there, and tomllib reports the error.
_TOKEN = re.compile(
    r"""
      (?P<skip> [ \t\r]+ | \#[^\n]* )
    | (?P<newline> \n )
    | (?P<string> \"{3} (?: \\. | (?!\"{3}) [^\\] )*+ \"{3,5} | '{3} (?: (?!'{3}) . )*+ '{3,5}
                | \" (?!\"\") (?: \\. | [^"\\\n] )*+ \" | ' (?!'') [^'\n]*+ ' )
    | (?P<bare> [A-Za-z0-9_+:-]+ )
    | (?P<mark> [][{}=.,] )
    """,
    re.VERBOSE | re.DOTALL,
)
_LONG_NUMBER = re.compile(rf"[+-]?[0-9][0-9a-fA-Fxob_]{{{MAX_DIGITS},}}")
_SYNTAX = re.compile(r"(?P<what>.*) \(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)", re.DOTALL)


@attrs.frozen
class Token:
    """A piece of TOML.

    Attributes:
        kind: ``newline``, ``string`` or ``bare`` (keys, numbers, dates); a mark is its own kind, the end is ``end``.
        text: the piece as written.
        line: from 1.
    """

    kind: str
    text: str
    line: int


def decode_toml(content: bytes, file: object = None) -> str:
    """The text of a file.

    Args:
        content: its bytes; if the file is too long, at least one more than `MAX_BYTES`.
        file: its name, for messages.

    Raises:
        PolicyError: the file is too long, or not UTF-8.
    """
    if len(content) > MAX_BYTES:
        raise PolicyError([_TOO_LONG], file=file)
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        found = "UTF-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else f"a byte {content[error.start]:#04x}"
        line = content.count(b"\n", 0, error.start) + 1
        raise PolicyError([Problem("", f"not UTF-8: {found}", line, "save it as UTF-8")], file=file) from error


def read_toml(text: str, file: object = None) -> tuple[dict[str, object], Places]:
    """The tree of a TOML text, and the places of its keys.

    Raises:
        PolicyError: the text is not TOML, or is beyond a limit.
    """
    problem = _unfit(text)
    if problem is None:
        tokens = list(_tokens(text))
        problem = _beyond_limit(tokens)
    if problem is not None:
        raise PolicyError([problem], file=file)
    try:
        tree = tomllib.loads(text)
    except ValueError as error:
        raise PolicyError([_syntax_problem(str(error), text)], file=file) from error
    return tree, Places(_Locator(tokens).lines)


def _unfit(text: str) -> Problem | None:
    """The problem that keeps the text from being scanned, or None."""
    if text.startswith("\ufeff"):
        return Problem("", "the text begins with a byte order mark", 1, "save it as UTF-8 without BOM")
    if "\0" in text:
        return Problem("", "a NUL byte", text.count("\n", 0, text.index("\0")) + 1, "save it as UTF-8, not UTF-16")
    try:
        content = text.encode()
    except UnicodeEncodeError:
        return Problem("", "a lone surrogate, which UTF-8 cannot hold", None, "save it as UTF-8")
    if len(content) > MAX_BYTES:
        return _TOO_LONG
    return None


def _tokens(text: str) -> Iterator[Token]:
    line, at = 1, 0
    while match := _TOKEN.match(text, at):
        kind = match.lastgroup or ""
        if kind != "skip":
            yield Token(match[0] if kind == "mark" else kind, match[0], line)
        line += match[0].count("\n")
        at = match.end()


def _beyond_limit(tokens: list[Token]) -> Problem | None:
    depth = dots = 0
    for token in tokens:
        depth += (token.kind in "[{") - (token.kind in "]}")
        dots = dots + (token.kind == ".") if token.kind in (".", "bare", "string") else 0
        if depth > MAX_DEPTH:
            return Problem("", f"more than {MAX_DEPTH} arrays or tables in each other", token.line)
        if dots >= MAX_PARTS:
            return Problem("", f"a dotted key of more than {MAX_PARTS} parts", token.line)
        if token.kind == "bare" and _LONG_NUMBER.fullmatch(token.text):
            return Problem("", f"a number of more than {MAX_DIGITS} digits", token.line)
    return None


def _syntax_problem(message: str, text: str) -> Problem:
    match = _SYNTAX.fullmatch(message)
    if match is None:
        return Problem("", f"not TOML: {message}")
    if match["line"] is None:
        return Problem("", f"not TOML: {match['what']}, at the end of the text", text.count("\n") + 1)
    return Problem("", f"not TOML: {match['what']}, column {match['column']}", int(match["line"]))


class _Locator:
    """Walks the tokens of a valid text and notes the line of each path."""

    def __init__(self, tokens: list[Token]) -> None:
        self.lines: dict[Path, int] = {}
        self._end = Token("end", "", tokens[-1].line if tokens else 1)
        self._tokens = iter(tokens)
        self._token = self._end
        self._counts: dict[Path, int] = {}  # array of tables -> index of its last table
        self._advance()
        table: Path = ()
        while self._token.kind != "end":
            if self._token.kind == "[":
                table = self._header()
            elif self._token.kind in ("bare", "string"):
                self._pair(table)
            else:
                self._advance()

    def _advance(self) -> Token:
        passed, self._token = self._token, next(self._tokens, self._end)
        return passed

    def _take(self, kind: str) -> bool:
        """Whether the token is of this kind; if so, it is passed."""
        taken = self._token.kind == kind
        if taken:
            self._advance()
        return taken

    def _header(self) -> Path:
        """``[a.b]`` or ``[[a.b]]``: the path of the table that begins here."""
        line = self._advance().line
        repeated = self._take("[")
        *around, last = self._key()
        path: Path = ()
        for part in around:
            path += (part,)
            self._note(path, line)
            path += (self._counts[path],) if path in self._counts else ()
        path += (last,)
        self._note(path, line)
        if repeated:
            self._counts[path] = self._counts.get(path, -1) + 1
            path += (self._counts[path],)
        self._note(path, line)
        return path

    def _key(self) -> list[str]:
        parts = []
        while self._token.kind in ("bare", "string", "."):
            token = self._advance()
            if token.kind != ".":
                parts.append(tomllib.loads(f"key = {token.text}")["key"] if token.kind == "string" else token.text)
        return parts

    def _pair(self, table: Path) -> None:
        line = self._token.line
        path = table
        for part in self._key():
            path += (part,)
            self._note(path, line)
        self._take("=")
        self._value(path)

    def _value(self, path: Path) -> None:
        if self._take("["):
            self._array(path)
        elif self._take("{"):
            while self._token.kind not in ("}", "end"):
                if self._token.kind in ("bare", "string"):
                    self._pair(path)
                else:
                    self._advance()
            self._take("}")
        else:
            while self._token.kind in ("bare", "string", "."):
                self._advance()

    def _array(self, path: Path) -> None:
        index = 0
        while self._token.kind not in ("]", "end"):
            if self._token.kind in ("newline", ","):
                self._advance()
                continue
            self._note((*path, index), self._token.line)
            self._value((*path, index))
            index += 1
        self._take("]")

    def _note(self, path: Path, line: int) -> None:
        self.lines.setdefault(path, line)
