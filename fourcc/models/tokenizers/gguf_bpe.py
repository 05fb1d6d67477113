"""Byte pairs by rank, from a vocabulary in GGUF.

A text is cut into words (`fourcc.models.tokenizers.splitting`). Each byte of a word is written as one printable
character, and of the neighbours that the merges name those of the first merge are joined, the leftmost of equals.

A vocabulary need not have a token for every byte. A byte without one becomes the unknown token, where the vocabulary
has one of that kind; else the text is refused. (Other programs leave the byte out without a word.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

import attrs

from fourcc.models.tokenizers.merging import merge
from fourcc.models.tokenizers.splitting import Splitting
from fourcc.models.tokenizers.tokenizer import NONE, ByteStream, no_token, text_of, utf8
from fourcc.models.tokenizers.vocabulary import Cutter, Kind, OverVocabulary, Vocabulary, byte_of

_WORDS_KEPT, _LONGEST_KEPT = 1 << 14, 64


def _alphabet() -> dict[int, str]:
    """Byte -> its character: printable ones of Latin-1 stand for themselves, the others follow from U+0100 on."""
    plain = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return {byte: chr(byte if byte in plain else next(others)) for byte in range(256)}


ALPHABET = _alphabet()
_BYTES = {character: byte for byte, character in ALPHABET.items()}


@attrs.frozen(slots=False)
class BytePairTokenizer(OverVocabulary):
    """Pairs by rank.

    Attributes:
        vocabulary: tokens, in the alphabet of bytes.
        ranks: pair -> when it is merged.
        splitting: how texts are cut.
        add_bos: whether its token comes before a text.
    """

    vocabulary: Vocabulary
    ranks: Mapping[tuple[str, str], int]
    splitting: Splitting
    add_bos: bool = False
    _ids: dict[str, int] = attrs.field(init=False, repr=False, eq=False)
    _cutter: Cutter = attrs.field(init=False, repr=False, eq=False)
    _cached: Callable[[str], list[int]] = attrs.field(init=False, repr=False, eq=False)

    @_ids.default
    def _(self) -> dict[str, int]:
        return self.vocabulary.ids(Kind.NORMAL, Kind.UNUSED)

    @_cutter.default
    def _(self) -> Cutter:
        return Cutter(self.vocabulary.ids(Kind.USER_DEFINED))

    @_cached.default
    def _(self) -> Callable[[str], list[int]]:
        return lru_cache(_WORDS_KEPT)(self._word)

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        """The tokens of a text; see `Tokenizer`."""
        utf8(text)
        ids = [self.bos] if bos and self.add_bos and self.bos is not None else []
        for number, part in enumerate(self._cutter.cut(text)):
            if number % 2:
                ids.append(self._cutter.ids[part])
            else:
                ids += [token for word in self.splitting.words(part) for token in self._of_word(word)]
        return self._settled(ids, text) if NONE in ids else ids

    def stream(self) -> ByteStream:
        """A decoder for one run of tokens; see `Tokenizer`."""
        return ByteStream(self._piece)

    def text(self, ids: Iterable[int]) -> str:
        """The text of a run of tokens."""
        return text_of(self.stream(), ids)

    def _settled(self, ids: list[int], text: str) -> list[int]:
        """Tokens with the unknown one in place of none. Raises UsageError where the vocabulary has no such token."""
        unknown = self.vocabulary.unknown
        if unknown is not None and self.vocabulary.kinds[unknown] == Kind.UNKNOWN:
            return [unknown if token == NONE else token for token in ids]
        raise no_token(text, sum(len(self._piece(token, None)) for token in ids[: ids.index(NONE)]))

    def _of_word(self, word: str) -> list[int]:
        """The tokens of one word, kept if it is short."""
        return self._cached(word) if len(word) <= _LONGEST_KEPT else self._word(word)

    def _word(self, word: str) -> list[int]:
        letters = [ALPHABET[byte] for byte in word.encode()]
        whole = self._ids.get("".join(letters)) if self.splitting.whole_words else None
        if whole is not None:
            return [whole]
        return [token for symbol in merge(letters, self._join) for token in self._tokens(symbol)]

    def _join(self, left: str, right: str) -> tuple[float, str] | None:
        rank = self.ranks.get((left, right))
        return None if rank is None else (rank, left + right)

    def _tokens(self, symbol: str) -> list[int]:
        """A symbol's token, or those of its bytes where a merge made what is none."""
        token = self._ids.get(symbol)
        return [token] if token is not None else [self._ids.get(letter, NONE) for letter in symbol]

    def _piece(self, token: int, before: int | None) -> bytes:  # noqa: ARG002 - every tokenizer's signature
        """The bytes of a token."""
        text, kind = self.vocabulary.known(token)
        if kind == Kind.CONTROL:
            return b""
        if kind == Kind.UNKNOWN:
            return "\ufffd".encode()
        if kind == Kind.BYTE:
            return bytes([byte_of(text)])
        if kind == Kind.USER_DEFINED or not _BYTES.keys() >= set(text):
            return text.encode(errors="surrogateescape")
        return bytes(_BYTES[letter] for letter in text)
