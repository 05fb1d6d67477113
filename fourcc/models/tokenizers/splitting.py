r"""Cuts a text into words, as byte-pair tokenizers do before they merge: a pair stays within one word.

The rules are regular expressions with classes of characters (``\p{L}``: letters) that Python's `re` lacks. So each
character outside ASCII is replaced by one that stands for its category, and the classes name those: matches in the
replaced text have the spans of the text. Categories are those of Python's Unicode version. Characters of the Han script
have stand-ins of their own, so that a rule can tell them apart. A rule that names characters outside ASCII is applied
to the text itself; it has no classes but white space.

Which rules a vocabulary's name stands for is said in `fourcc.models.tokenizers.splits`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from unicodedata import category

import attrs

_CATEGORIES = (
    "Lu",
    "Ll",
    "Lt",
    "Lm",
    "Lo",
    "Mn",
    "Mc",
    "Me",
    "Nd",
    "Nl",
    "No",
    "Pc",
    "Pd",
    "Ps",
    "Pe",
    "Pi",
    "Pf",
    "Po",
    "Sm",
    "Sc",
    "Sk",
    "So",
    "Zs",
    "Zl",
    "Zp",
    "Cc",
    "Cf",
    "Cs",
    "Co",
    "Cn",
)
# Behind a category's name: its characters of the Han script; the long s, which is an s where case does not count;
# superscripts and fractions of Latin-1, which belong to words where other numbers without a place value do not.
_HAN, _LONG_S, _LATIN1 = _SCRIPTS = ("Han", "LongS", "Latin1")
_KINDS = (*_CATEGORIES, *(each + _HAN for each in _CATEGORIES), "Ll" + _LONG_S, "No" + _LATIN1)
_STAND_INS = {name: chr(0xE000 + number) for number, name in enumerate(_KINDS)}
_NEXT_LINE = 0x85  # a control character, but white space
_ESCAPES = re.compile(r"\[\^?|\]|\\p\{(\w+)\}|\\[sSd]|\\.")
_SPACES = r"\t-\r \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"  # what \s means in Unicode
# The Han script's characters (Unicode, Scripts.txt): radicals, marks, numerals, ideographs.
_HAN_RANGES = (
    (0x2E80, 0x2E99),
    (0x2E9B, 0x2EF3),
    (0x2F00, 0x2FD5),
    (0x3005, 0x3005),
    (0x3007, 0x3007),
    (0x3021, 0x3029),
    (0x3038, 0x303B),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFA6D),
    (0xFA70, 0xFAD9),
    (0x16FE2, 0x16FE3),
    (0x16FF0, 0x16FF1),
    (0x20000, 0x323AF),
)


class _StandIns(dict[int, str]):
    """Code point -> the character that stands for it; filled on demand."""

    def __missing__(self, point: int) -> str:
        self[point] = chr(point) if point < 0x80 else _STAND_INS[_kind(point)]
        return self[point]


def _kind(point: int) -> str:
    """A character's category, with the script where that is Han."""
    if point == _NEXT_LINE:
        return "Zs"
    kind = category(chr(point))
    if point == ord("\u017f") or (kind == "No" and point < 0x100):
        return kind + (_LATIN1 if kind == "No" else _LONG_S)
    return kind + _HAN * (kind != "Cn" and any(first <= point <= last for first, last in _HAN_RANGES))


_SHAPE = _StandIns()


def _members(name: str) -> str:
    """The characters of a category, or of a part of categories, for the inside of brackets."""
    ascii_ones = [chr(point) for point in range(0x80) if category(chr(point)).startswith(name)]
    wanted = str.endswith if name in _SCRIPTS else str.startswith
    others = [stand_in for kind, stand_in in _STAND_INS.items() if wanted(kind, name)]
    return re.escape("".join([*ascii_ones, *others]))


def _of_itself(rule: str) -> bool:
    """Whether a rule is applied to the text itself, not to the stand-ins."""
    return not rule.isascii()


@cache
def _compiled(rule: str) -> re.Pattern[str]:
    """A rule for texts of stand-ins, or for texts themselves."""
    spaces = _SPACES if _of_itself(rule) else r"\t-\r " + _members("Z")
    members = {r"\s": spaces, r"\S": spaces, r"\d": _members("Nd")}
    within = False

    def translated(match: re.Match[str]) -> str:
        nonlocal within
        escape = match[0]
        if escape[0] in "[]":
            within = escape != "]"
            return escape
        found = _members(match[1]) if match[1] else members.get(escape)
        if found is None:
            return escape
        return found if within else f"[{'^' * (escape == chr(92) + 'S')}{found}]"

    return re.compile(_ESCAPES.sub(translated, rule))


@attrs.frozen
class Splitting:
    r"""How a vocabulary's texts are cut.

    Attributes:
        rules: regular expressions, each applied to the pieces of the one before; text between matches is a piece, too.
        whole_words: whether a word that is a token stays whole, without merging.
        bos: whether BOS is wanted where the vocabulary does not say.
    """

    rules: tuple[str, ...]
    whole_words: bool = False
    bos: bool = False

    def words(self, text: str) -> list[str]:
        """The text's words, in order; together they are the text.

        >>> Splitting((r" ?[a-z]+|[0-9]", )).words("one  12")
        ['one', ' ', ' ', '1', '2']
        """
        shape = text.translate(_SHAPE)
        spans = [(0, len(text))]
        for rule in self.rules:
            pattern, cut_by = _compiled(rule), text if _of_itself(rule) else shape
            spans = [cut for span in spans for cut in _cuts(pattern, cut_by, span)]
        return [text[start:end] for start, end in spans]


def _cuts(pattern: re.Pattern[str], text: str, span: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """The pieces of a span: matches, and the text between them."""
    first, at = span
    at = first
    for match in pattern.finditer(text[slice(*span)]):
        start, end = first + match.start(), first + match.end()
        if at < start:
            yield at, start
        if start < end:
            yield start, end
        at = end
    if at < span[1]:
        yield at, span[1]
