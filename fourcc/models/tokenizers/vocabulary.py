"""A vocabulary as GGUF files hold it: tokens, each of a kind, some with a special part."""

from __future__ import annotations

import re
from enum import IntEnum
from functools import cached_property

import attrs

from fourcc.models.tokenizers.tokenizer import checked

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class Kind(IntEnum):
    """What a token is for."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@attrs.frozen
class Vocabulary:
    """Tokens and what is said of them.

    Attributes:
        tokens: each token's text; bytes that are no UTF-8 stand as lone surrogates.
        scores: the higher, the earlier a token is made.
        kinds: what each is for.
        bos: the token before a text.
        eos: the token behind a text.
        unknown: for what has no token.
        ends: tokens that end a text, the one behind it among them.
    """

    tokens: tuple[str, ...]
    scores: tuple[float, ...]
    kinds: tuple[int, ...]
    bos: int | None = None
    eos: int | None = None
    unknown: int | None = None
    ends: frozenset[int] = frozenset()

    def ids(self, *kinds: Kind) -> dict[str, int]:
        """Text -> token, of tokens for these uses; the first of equals."""
        ids: dict[str, int] = {}
        wanted = frozenset(map(int, kinds))
        for token, (text, kind) in enumerate(zip(self.tokens, self.kinds, strict=True)):
            if kind in wanted and text:
                ids.setdefault(text, token)
        return ids

    def byte_ids(self) -> dict[int, int]:
        """Byte -> its token."""
        return {byte_of(text): token for text, token in reversed(self.ids(Kind.BYTE).items())}

    @property
    def padding(self) -> frozenset[int]:
        """Tokens that only fill a vocabulary up to the model's rows, as converters name them: ``[PAD7]`` is token 7."""
        unused = (token for token, kind in enumerate(self.kinds) if kind == Kind.UNUSED)
        return frozenset(token for token in unused if self.tokens[token] == pad_name(token))

    def known(self, token: int) -> tuple[str, int]:
        """A token's text and kind; UsageError where there is no such token."""
        return self.tokens[checked(token, len(self.tokens))], self.kinds[token]


def pad_name(token: int) -> str:
    """What converters to GGUF call a token that the model has a row for, and the tokenizer nothing."""
    return f"[PAD{token}]"


def byte_of(text: str) -> int:
    """The byte of a token of kind BYTE. Raises ValueError where its text is not ``<0x00>`` to ``<0xFF>``."""
    match = _BYTE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r:.40} names no byte")
    return int(match[1], 16)


class Cutter:
    """Cuts user-defined tokens out of a text, before all else: the first that stands there, the longest of those.

    Lengths are kept by first character, so that hundreds of thousands of tokens cost no more than a few.
    """

    def __init__(self, ids: dict[str, int]) -> None:
        """Of tokens by their text."""
        self.ids = ids
        lengths: dict[str, set[int]] = {}
        for text in ids:
            lengths.setdefault(text[0], set()).add(len(text))
        self._lengths = {first: sorted(found, reverse=True) for first, found in lengths.items()}

    def cut(self, text: str) -> list[str]:
        """Texts, from the first at every second place, and user-defined tokens between them."""
        parts, start = [], 0
        for at, character in enumerate(text):
            if at >= start and character in self._lengths:
                found = self._longest(text, at)
                if found:
                    parts += [text[start:at], found]
                    start = at + len(found)
        return [*parts, text[start:]]

    def _longest(self, text: str, at: int) -> str:
        """The longest token that stands at a place; empty where none does."""
        rest = len(text) - at
        parts = (text[at : at + length] for length in self._lengths[text[at]] if length <= rest)
        return next((part for part in parts if part in self.ids), "")


class OverVocabulary:
    """What a tokenizer over a `Vocabulary` answers by it alone; see `Tokenizer`."""

    vocabulary: Vocabulary

    @property
    def vocab_size(self) -> int:
        """Number of tokens."""
        return len(self.vocabulary.tokens)

    @property
    def ends(self) -> frozenset[int]:
        """The tokens that end a text; see `Tokenizer`."""
        return self.vocabulary.ends

    @cached_property
    def padding(self) -> frozenset[int]:
        """Tokens that no text has; see `Tokenizer`."""
        return self.vocabulary.padding

    @property
    def bos(self) -> int | None:
        """The token before a text, where there is one."""
        return self.vocabulary.bos

    @property
    def eos(self) -> int | None:
        """The token behind a text, where there is one."""
        return self.vocabulary.eos

    def special(self, name: str) -> int | None:
        """A special token; see `Tokenizer`."""
        return self.vocabulary.ids(Kind.CONTROL, Kind.USER_DEFINED).get(name)
