"""The interface of every tokenizer, and text that comes token by token."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import attrs

from fourcc.errors import UsageError

MAX_TOKENS = 1 << 22  # most tokens of a vocabulary; published ones have up to 2^18


class TextStream(Protocol):
    """Turns tokens into text while they come."""

    def push(self, token: int) -> str:
        """The text that is certain now; bytes that may begin a character are held back."""

    def finish(self) -> str:
        """The text that was held back; U+FFFD where its bytes are no text."""


class Tokenizer(Protocol):
    """Text to tokens and back."""

    @property
    def vocab_size(self) -> int:
        """Number of tokens."""

    @property
    def bos(self) -> int | None:
        """The token before a text, where there is one."""

    @property
    def eos(self) -> int | None:
        """The token behind a text, where there is one."""

    @property
    def ends(self) -> frozenset[int]:
        """The tokens that end a text, as far as the tokenizer tells; EOS among them."""

    @property
    def padding(self) -> frozenset[int]:
        """Numbers below `vocab_size` that no text has: holes, and tokens that only fill the vocabulary up."""

    def special(self, name: str) -> int | None:
        """The special token of that name, which comes from no text, or None."""

    @property
    def specials(self) -> Mapping[str, int]:
        """The special tokens by their names; none of them comes from a text."""

    @property
    def added(self) -> Mapping[str, int]:
        """Tokens that are found in every text before it is cut into words, by their texts."""

    def name(self, token: int) -> str:
        """The text that stands for a token in a chat template. Raises UsageError where there is no such token."""

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        """The tokens of a text.

        Args:
            text: taken as it is; the names of special tokens in it are text.
            bos: whether BOS comes first, in tokenizers that have one and want it there.

        Raises:
            UsageError: the text has a lone surrogate; or a part of it has no token, and the vocabulary has no unknown
                token.
        """

    def stream(self) -> TextStream:
        """A decoder for one run of tokens, from its first on."""

    def text(self, ids: Iterable[int]) -> str:
        """The text of a run of tokens."""


@attrs.define
class ByteStream:
    """The text of tokens that stand for bytes; the first token does not begin inside a character.

    Attributes:
        piece: (token, the token before it or None) -> bytes.
    """

    piece: Callable[[int, int | None], bytes]
    _before: int | None = attrs.field(default=None, init=False)
    _decoder: codecs.IncrementalDecoder = attrs.field(
        factory=lambda: codecs.getincrementaldecoder("utf-8")("replace"), init=False, repr=False
    )

    def push(self, token: int) -> str:
        """See `TextStream`."""
        new = self.piece(token, self._before)
        self._before = token
        return self._decoder.decode(new)

    def finish(self) -> str:
        """See `TextStream`."""
        return self._decoder.decode(b"", final=True)


def text_of(stream: TextStream, ids: Iterable[int]) -> str:
    """The text of a run of tokens, by a fresh stream."""
    return "".join([stream.push(token) for token in ids]) + stream.finish()


def utf8(text: str) -> bytes:
    """The bytes of a text.

    Raises:
        UsageError: a lone surrogate.
    """
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        found = f"U+{ord(text[error.start]):04X} at character {error.start}"
        raise UsageError("the text is not Unicode", found=found, expected="no surrogates") from None


def in_use(tokenizer: Tokenizer, rows: int) -> int:
    """Number of tokens in use in a model of so many rows: up to the last token that is no padding."""
    padding, count = tokenizer.padding, min(rows, tokenizer.vocab_size)
    return next((token + 1 for token in reversed(range(count)) if token not in padding), 0)


NONE = -1  # in a list of tokens: a part of the text that has no token


def fused(ids: list[int], unknown: int) -> list[int]:
    """Tokens in which a run of the unknown token becomes one, as in SentencePiece."""
    return [token for at, token in enumerate(ids) if token != unknown or not at or ids[at - 1] != unknown]


def no_token(text: str, offset: int, before: int = 0) -> UsageError:
    """The error for a part of a text that has no token.

    Args:
        text: the text as it is encoded.
        offset: the place of the part in its bytes.
        before: number of characters that encoding put before it.
    """
    raw = text.encode()
    at = len(raw[:offset].decode(errors="ignore"))  # a character that is cut does not count
    place = f"at character {at - before} of the text" if at >= before else "which is put before the text"
    found = f"byte 0x{raw[offset]:02X} of U+{ord(text[at]):04X}, {place}"
    return UsageError(
        "the vocabulary has no token for a part of the text", found=found, hint="Leave it out of the text."
    )


def checked(token: int, vocab_size: int) -> int:
    """The token, once it is known to be one.

    Raises:
        UsageError: the vocabulary has no token of this number.
    """
    if not 0 <= token < vocab_size:
        raise UsageError("no such token", found=token, expected=f"0 to {vocab_size - 1}")
    return token
