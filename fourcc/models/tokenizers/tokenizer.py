"""What every tokenizer can do, and text that comes token by token."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable
from typing import Protocol

import attrs

from fourcc.errors import UsageError

MAX_TOKENS = 1 << 22  # of a vocabulary; published ones have up to 2^18


class TextStream(Protocol):
    """Turns tokens into text while they come."""

    def push(self, token: int) -> str:
        """The text that is certain now; what may be the start of a character is held back."""

    def finish(self) -> str:
        """What was held back, as U+FFFD where it is no text."""


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
        """The token of that name among those that come from no text, or None."""

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        """The tokens of a text.

        Args:
            text: taken as it is; the names of special tokens in it are text.
            bos: whether the token before a text comes first, in tokenizers that have one and want it there.

        Raises:
            UsageError: a lone surrogate, which is no text; or a part of the text has no token, nor has the vocabulary
                one for what is unknown.
        """

    def stream(self) -> TextStream:
        """A decoder for one run of tokens, from its first on."""

    def text(self, ids: Iterable[int]) -> str:
        """The text of a run of tokens."""


@attrs.define
class ByteStream:
    """The text of tokens that stand for bytes; it begins in the middle of no character.

    Attributes:
        piece: (token, the one before it or None) -> bytes.
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
        raise UsageError("the text is no Unicode", found=found, expected="no surrogates") from None


def in_use(tokenizer: Tokenizer, rows: int) -> int:
    """How many tokens a model of so many rows can mean: those beyond the last one that is no padding are left out."""
    padding, count = tokenizer.padding, min(rows, tokenizer.vocab_size)
    return next((token + 1 for token in reversed(range(count)) if token not in padding), 0)


NONE = -1  # in a list of tokens: a part of the text that has none


def fused(ids: list[int], unknown: int) -> list[int]:
    """Tokens with runs of the unknown one as one, as SentencePiece gives them."""
    return [token for at, token in enumerate(ids) if token != unknown or not at or ids[at - 1] != unknown]


def no_token(text: str, offset: int, before: int = 0) -> UsageError:
    """The error for a part of a text that has no token.

    Args:
        text: as it is encoded.
        offset: in its bytes.
        before: characters that encoding put before it.
    """
    raw = text.encode()
    at = len(raw[:offset].decode(errors="ignore"))  # of a character that is cut nothing is counted
    place = f"at character {at - before} of the text" if at >= before else "which is put before the text"
    found = f"byte 0x{raw[offset]:02X} of U+{ord(text[at]):04X}, {place}"
    return UsageError("the vocabulary has no token for it", found=found, hint="Leave it out of the text.")


def checked(token: int, vocab_size: int) -> int:
    """The token.

    Raises:
        UsageError: the vocabulary has none of this number.
    """
    if not 0 <= token < vocab_size:
        raise UsageError("no such token", found=token, expected=f"0 to {vocab_size - 1}")
    return token
