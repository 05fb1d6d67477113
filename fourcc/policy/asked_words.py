"""Words of other tools for formats: the tags that ``int8`` or ``fp4`` may mean, by the formats' own declarations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fourcc.policy.recipes import recipe_named

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fourcc.format import Format
    from fourcc.plugins.registry import Registry

MOST = 4  # tags in a hint
_KINDS = {"int": "codes", "i": "codes", "q": "codes", "w": "codes", "fp": "floats", "float": "floats", "f": "floats"}
_WIDE = re.compile(r"(int|i|q|w|fp|float|f)(\d{1,2})(?:bit)?")  # int8, fp16, 4bit
_BITS = re.compile(r"(\d{1,2})[-_ ]?bits?")


def likely_tags(word: str, registry: Registry) -> list[str]:
    """Tags of formats with an encoder that another tool's word may mean, the best first; empty where there is none.

    A format whose tag, name or id elsewhere is the word, but for case and ``-_``, comes first; else those of the
    word's kind and number of bits, by their summaries.
    """
    wanted = _plain(word)
    working = [fmt for fmt, _ in registry.working() if fmt.encode is not None]
    exact = [str(fmt.tag) for fmt in working if wanted in {_plain(each) for each in _names(fmt)}]
    return exact or [str(fmt.tag) for fmt in working if _fits(fmt, word.lower())][:MOST]


def tag_hint(word: str, registry: Registry) -> str | None:
    """A hint with the tags that a word may mean; None where there are none.

    A recipe's name leads to ``recipe``.
    """
    recipe, tags = recipe_named(word), likely_tags(word, registry)
    mix = f"{recipe} is a mix of formats: --recipe {recipe}, or recipe={recipe!r} in Python" if recipe else ""
    if not tags:
        return mix or None
    more = f"a mix of formats has that name, too: --recipe {recipe}" if recipe else "`fourcc formats` lists all"
    return f"did you mean {' or '.join(tags)}? {more[:1].upper()}{more[1:]}"


def _names(fmt: Format) -> Iterator[str]:
    yield from (str(fmt.tag), fmt.name)
    yield from (identity for identity in fmt.foreign.values() if isinstance(identity, str))


def _plain(word: str) -> str:
    """A word without case and ``-_``; ``fp16`` and ``float16`` are ``f16``."""
    return re.sub(r"^(fp|float)(?=\d)", "f", re.sub(r"[-_ ]", "", word).lower())


def _fits(fmt: Format, word: str) -> bool:
    """Whether a word such as ``int8`` tells a format's kind and bits, as its summary does."""
    wide, bits = _WIDE.fullmatch(word), _BITS.fullmatch(word)
    if wide is None and bits is None:
        return False
    number = wide.group(2) if wide is not None else bits.group(1) if bits is not None else ""
    kind = "" if wide is None else _KINDS[wide.group(1)]
    floats, codebook = "floats" in fmt.summary.split(",")[0], "codebook" in fmt.summary
    if not fmt.summary.startswith((f"{number}-bit", f"ggml's {number}-bit")):
        return False
    return not kind or (floats if kind == "floats" else not floats and not codebook)
