r"""Cuts a text into words, as byte-pair tokenizers do before they merge: a pair stays within one word.

The rules are regular expressions with classes of characters (``\p{L}``: letters) that Python's `re` lacks. So each
character outside ASCII is replaced by one that stands for its category, and the classes name those: matches in the
replaced text have the spans of the text. Categories are those of Python's Unicode version.
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
_STAND_INS = {name: chr(0xE000 + number) for number, name in enumerate(_CATEGORIES)}
_NEXT_LINE = 0x85  # a control character, but white space
_ESCAPES = re.compile(r"\[\^?|\]|\\p\{(\w+)\}|\\[sS]|\\.")

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_ENDINGS = r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_LLAMA3 = rf"{_ENDINGS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,3}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|{_SPACES}"
_UPPER, _LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
_TEKKEN = (
    rf"[^\r\n\p{{L}}\p{{N}}]?{_UPPER}*{_LOWER}+|[^\r\n\p{{L}}\p{{N}}]?{_UPPER}+{_LOWER}*"
    rf"|\p{{N}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n/]*|{_SPACES}"
)


class _StandIns(dict[int, str]):
    """Code point -> the character that stands for it; filled on demand."""

    def __missing__(self, point: int) -> str:
        self[point] = chr(point) if point < 0x80 else _STAND_INS["Zs" if point == _NEXT_LINE else category(chr(point))]
        return self[point]


_SHAPE = _StandIns()


def _members(name: str) -> str:
    """A category's characters, for the inside of brackets."""
    ascii_ones = [chr(point) for point in range(0x80) if category(chr(point)).startswith(name)]
    others = [stand_in for kind, stand_in in _STAND_INS.items() if kind.startswith(name)]
    return re.escape("".join([*ascii_ones, *others]))


@cache
def _compiled(rule: str) -> re.Pattern[str]:
    """A rule for texts of stand-ins."""
    spaces, within = r"\t-\r " + _members("Z"), False

    def translated(match: re.Match[str]) -> str:
        nonlocal within
        escape = match[0]
        if escape[0] in "[]":
            within = escape != "]"
            return escape
        if escape in (r"\s", r"\S") or match[1]:
            members = _members(match[1]) if match[1] else spaces
            return members if within else f"[{'^' * (escape == chr(92) + 'S')}{members}]"
        return escape

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

        >>> SPLITTINGS["gpt-2"].words("I'm  12 années")
        ['I', "'m", ' ', ' 12', ' années']
        """
        shape = text.translate(_SHAPE)
        spans = [(0, len(text))]
        for pattern in map(_compiled, self.rules):
            spans = [cut for span in spans for cut in _cuts(pattern, shape, span)]
        return [text[start:end] for start, end in spans]


def _cuts(pattern: re.Pattern[str], shape: str, span: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """The pieces of a span: matches, and the text between them."""
    first, at = span
    at = first
    for match in pattern.finditer(shape[slice(*span)]):
        start, end = first + match.start(), first + match.end()
        if at < start:
            yield at, start
        if start < end:
            yield start, end
        at = end
    if at < span[1]:
        yield at, span[1]


_FAMILIES = {  # values of tokenizer.ggml.pre -> how they cut
    "gpt-2 phi-2 jina-es jina-de jina-v1-en jina-v2-es jina-v2-de jina-v2-code roberta-bpe gigachat mpt olmo jais": (
        Splitting((_GPT2,))
    ),
    "starcoder refact command-r smollm codeshell exaone minerva-7b": Splitting((r"\p{N}", _GPT2)),
    "llama-bpe llama3 llama-v3 falcon3": Splitting((_LLAMA3,), whole_words=True, bos=True),
    "dbrx smaug-bpe": Splitting((_LLAMA3,)),
    "qwen2 stablelm2 megrez deepseek-r1-qwen": Splitting((_LLAMA3.replace("{1,3}", ""),)),
    "tekken": Splitting((_TEKKEN,), whole_words=True, bos=True),
    "default": Splitting((r"[\p{P}$+<=>^~|]+", _GPT2, r"\p{N}+", "[0-9][0-9][0-9]")),
}
SPLITTINGS = {name: splitting for names, splitting in _FAMILIES.items() for name in names.split()}
