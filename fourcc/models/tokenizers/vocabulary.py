"""A vocabulary as GGUF files hold it: tokens of several kinds, and the base of the tokenizers over it."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from enum import IntEnum
from functools import cached_property

import attrs

from fourcc.models.tokenizers.tokenizer import ByteStream, checked, text_of

_REPLACEMENT = "\ufffd".encode()
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class TokenKind(IntEnum):
    """The use of a token, in GGUF's numbers."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


@attrs.frozen
class Vocabulary:
    """Tokens and their properties.

    Attributes:
        tokens: texts of the tokens; bytes that are not UTF-8 stand as lone surrogates.
        scores: a pair whose token has a higher score is merged earlier.
        kinds: kinds of the tokens.
        bos: the token before a text.
        eos: the token behind a text.
        unknown: the token for text that has no token.
        ends: tokens that end a text; EOS is among them.
    """

    tokens: tuple[str, ...]
    scores: tuple[float, ...]
    kinds: tuple[int, ...]
    bos: int | None = None
    eos: int | None = None
    unknown: int | None = None
    ends: frozenset[int] = frozenset()

    def ids(self, *kinds: TokenKind) -> dict[str, int]:
        """Text -> token, for tokens of these kinds; of several with one text the first."""
        ids: dict[str, int] = {}
        wanted = frozenset(map(int, kinds))
        for token, (text, kind) in enumerate(zip(self.tokens, self.kinds, strict=True)):
            if kind in wanted and text:
                ids.setdefault(text, token)
        return ids

    def byte_ids(self) -> dict[int, int]:
        """Byte -> its token."""
        return {byte_of(text): token for text, token in reversed(self.ids(TokenKind.BYTE).items())}

    @property
    def padding(self) -> frozenset[int]:
        """Tokens that only fill a vocabulary up to the model's rows, as converters name them: ``[PAD7]`` is token 7."""
        unused = (token for token, kind in enumerate(self.kinds) if kind == TokenKind.UNUSED)
        return frozenset(token for token in unused if self.tokens[token] == pad_name(token))

    def known(self, token: int) -> tuple[str, int]:
        """A token's text and kind. Raises UsageError where there is no such token."""
        return self.tokens[checked(token, len(self.tokens))], self.kinds[token]


def pad_name(token: int) -> str:
    """The name that converters to GGUF give a token for a row of the model that the tokenizer does not use."""
    return f"[PAD{token}]"


def byte_of(text: str) -> int:
    """The byte of a token of kind BYTE. Raises ValueError where its text is not ``<0x00>`` to ``<0xFF>``."""
    match = _BYTE.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r:.40} names no byte")
    return int(match[1], 16)


class Cutter:
    """Cuts user-defined tokens out of a text before anything else; at each place the longest token counts.

    Lengths are kept by first character, so that hundreds of thousands of tokens cost no more than a few.

    Args:
        ids: the tokens, by their texts.
    """

    def __init__(self, ids: dict[str, int]) -> None:
        self.ids = ids
        lengths: dict[str, set[int]] = {}
        for text in ids:
            lengths.setdefault(text[0], set()).add(len(text))
        self._lengths = {first: sorted(some, reverse=True) for first, some in lengths.items()}

    def cut(self, text: str) -> list[str]:
        """The text in parts: texts at even places, user-defined tokens at odd ones."""
        parts, at = [], 0
        for start, end in self.places(text):
            parts += [text[at:start], text[start:end]]
            at = end
        return [*parts, text[at:]]

    def places(self, text: str, wanted: Callable[[int, int], bool] | None = None) -> Iterator[tuple[int, int]]:
        """Start and end of each token in a text, in their order.

        Args:
            text: the text.
            wanted: (start, end) -> whether a token may be taken there; None: all may.
        """
        free = 0
        for start, end in self.all_places(text):
            if start >= free and (wanted is None or wanted(start, end)):
                yield start, end
                free = end

    def all_places(self, text: str) -> Iterator[tuple[int, int]]:
        """Start and end of every token in a text, those that overlap, too; at each place the longest comes first."""
        for at, character in enumerate(text):
            for length in self._lengths.get(character, ()):
                if at + length <= len(text) and text[at : at + length] in self.ids:
                    yield at, at + length


class OverVocabulary(ABC):
    """The part of a tokenizer that follows from its `Vocabulary`; see `Tokenizer`."""

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

    def stream(self) -> ByteStream:
        """A decoder for one run of tokens; see `Tokenizer`."""
        return ByteStream(self._piece)

    def text(self, ids: Iterable[int]) -> str:
        """The text of a run of tokens."""
        return text_of(self.stream(), ids)

    @abstractmethod
    def _piece(self, token: int, before: int | None) -> bytes:
        """The bytes of a token behind another one, or at the start of a text."""

    @abstractmethod
    def _text_bytes(self, text: str, kind: int) -> bytes:
        """The bytes of a token that stands for text."""

    def _bytes_of(self, token: int) -> bytes:
        """The bytes of a token, wherever it stands."""
        text, kind = self.vocabulary.known(token)
        if kind == TokenKind.CONTROL:
            return b""
        if kind == TokenKind.UNKNOWN:
            return _REPLACEMENT
        return bytes([byte_of(text)]) if kind == TokenKind.BYTE else self._text_bytes(text, kind)

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
        return self.vocabulary.ids(TokenKind.CONTROL, TokenKind.USER_DEFINED).get(name)

    @cached_property
    def specials(self) -> Mapping[str, int]:
        """See `Tokenizer`."""
        return self.vocabulary.ids(TokenKind.CONTROL)

    @cached_property
    def added(self) -> Mapping[str, int]:
        """See `Tokenizer`."""
        return self.vocabulary.ids(TokenKind.USER_DEFINED)

    def name(self, token: int) -> str:
        """See `Tokenizer`."""
        return self.vocabulary.known(token)[0]
