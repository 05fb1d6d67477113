"""Byte pairs by rank, from a vocabulary in GGUF.

A text is cut into words (`fourcc.models.tokenizers.splitting`). Each byte of a word is written as one printable
character. Then neighbours that the merges name are joined, the pair of the earliest merge first; ties go to the
leftmost pair.

A vocabulary need not have a token for every byte. A byte without a token becomes the unknown token, where the
vocabulary has a token of that kind; else the text is refused. (Other programs leave the byte out without a word.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from functools import lru_cache
from typing import Literal
from unicodedata import normalize

import attrs

from fourcc.models.tokenizers.merging import merge
from fourcc.models.tokenizers.splitting import Splitting
from fourcc.models.tokenizers.tokenizer import NONE, no_token, utf8
from fourcc.models.tokenizers.vocabulary import Cutter, OverVocabulary, TokenKind, Vocabulary

NormalForm = Literal["NFC", "NFD", "NFKC", "NFKD"]  # Unicode's
NORMAL_FORMS: tuple[NormalForm, ...] = ("NFC", "NFD", "NFKC", "NFKD")
_WORDS_KEPT, _LONGEST_KEPT = 1 << 14, 64


def _alphabet() -> dict[int, str]:
    """Byte -> its character: printable Latin-1 characters stand for themselves, the others follow from U+0100 on."""
    plain = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return {byte: chr(byte if byte in plain else next(others)) for byte in range(256)}


ALPHABET = _alphabet()
_BYTES = {character: byte for byte, character in ALPHABET.items()}


@attrs.frozen(slots=False)
class BytePairTokenizer(OverVocabulary):
    """A tokenizer that merges pairs by rank.

    Attributes:
        vocabulary: tokens, in the alphabet of bytes.
        ranks: pair -> its place among the merges.
        splitting: how texts are cut into words.
        add_bos: whether BOS comes before a text.
        form: Unicode's normal form that a text is brought into, user-defined tokens aside; None: it stays as it is.
    """

    vocabulary: Vocabulary
    ranks: Mapping[tuple[str, str], int]
    splitting: Splitting
    add_bos: bool = False
    form: NormalForm | None = None
    _ids: dict[str, int] = attrs.field(init=False, repr=False, eq=False)
    _cutter: Cutter = attrs.field(init=False, repr=False, eq=False)
    _cached: Callable[[str], list[int]] = attrs.field(init=False, repr=False, eq=False)

    @_ids.default
    def _(self) -> dict[str, int]:
        return self.vocabulary.ids(TokenKind.NORMAL, TokenKind.UNUSED)

    @_cutter.default
    def _(self) -> Cutter:
        return Cutter(self.vocabulary.ids(TokenKind.USER_DEFINED))

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
                ids += [token for word in self._words(part) for token in self._of_word(word)]
        return self._settled(ids, normalize(self.form, text) if self.form else text) if NONE in ids else ids

    def _settled(self, ids: list[int], text: str) -> list[int]:
        """Tokens with the unknown token in place of NONE. Raises UsageError where the vocabulary has none."""
        unknown = self.vocabulary.unknown
        if unknown is not None and self.vocabulary.kinds[unknown] == TokenKind.UNKNOWN:
            return [unknown if token == NONE else token for token in ids]
        raise no_token(text, sum(len(self._piece(token, None)) for token in ids[: ids.index(NONE)]))

    def _of_word(self, word: str) -> list[int]:
        """The tokens of one word; those of a short word are cached."""
        return self._cached(word) if len(word) <= _LONGEST_KEPT else self._word(word)

    def cut_by(self, splitting: Splitting) -> BytePairTokenizer:
        """A tokenizer that cuts in another way; its tables are those of this one."""
        other = copy(self)
        object.__setattr__(other, "splitting", splitting)
        object.__setattr__(other, "_cached", lru_cache(_WORDS_KEPT)(other._word))  # noqa: SLF001 - of this class
        return other

    def _words(self, text: str) -> list[str]:
        return self.splitting.words(text if self.form is None else normalize(self.form, text))

    def _word(self, word: str) -> list[int]:
        whole = self._whole(word)
        if whole is not None:
            return [whole]
        return [token for symbol in merge(self._letters(word), self._join) for token in self._tokens(symbol)]

    def _whole(self, word: str) -> int | None:
        """The token of a word that is not merged, None for others."""
        return self._ids.get("".join(self._letters(word))) if self.splitting.whole_words else None

    def _letters(self, word: str) -> list[str]:
        """The symbols of a word before any merge."""
        return [ALPHABET[byte] for byte in word.encode()]

    def _join(self, left: str, right: str) -> tuple[float, str] | None:
        rank = self.ranks.get((left, right))
        return None if rank is None else (rank, left + right)

    def _tokens(self, symbol: str) -> list[int]:
        """A symbol's token, or the tokens of its bytes where a merge gives no token."""
        token = self._ids.get(symbol)
        return [token] if token is not None else [self._ids.get(letter, NONE) for letter in symbol]

    def _piece(self, token: int, before: int | None) -> bytes:  # noqa: ARG002 - every tokenizer's signature
        """The bytes of a token."""
        return self._bytes_of(token)

    def _text_bytes(self, text: str, kind: int) -> bytes:
        if kind == TokenKind.USER_DEFINED or not _BYTES.keys() >= set(text):
            return text.encode(errors="surrogateescape")
        return bytes(_BYTES[letter] for letter in text)
