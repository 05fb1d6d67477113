"""SentencePiece's pairs by score, from a vocabulary in GGUF.

A space is written U+2581, and one is put before the text where the vocabulary wants it. Characters are joined where the
joined text is a token, the one with the highest score first, the leftmost of equals. A character without a token
becomes the tokens of its bytes, where all of them have one, or the unknown token, once for a run of such characters; a
vocabulary that has neither refuses the text. Control tokens come from no text and give none.
"""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from fourcc.models.tokenizers.merging import Chunks, merge
from fourcc.models.tokenizers.tokenizer import NONE, ByteStream, fused, no_token, text_of, utf8
from fourcc.models.tokenizers.vocabulary import Cutter, Kind, OverVocabulary, Vocabulary, byte_of

SPACE = "\u2581"


@attrs.frozen(slots=False)
class ScoredTokenizer(OverVocabulary):
    """Pairs by score.

    Attributes:
        vocabulary: tokens.
        add_bos: whether its token comes before a text.
        add_space: whether a space comes before a text.
    """

    vocabulary: Vocabulary
    add_bos: bool = True
    add_space: bool = True
    _ids: dict[str, int] = attrs.field(init=False, repr=False, eq=False)
    _bytes: dict[int, int] = attrs.field(init=False, repr=False, eq=False)
    _cutter: Cutter = attrs.field(init=False, repr=False, eq=False)
    _chunks: Chunks = attrs.field(init=False, repr=False, eq=False)

    @_ids.default
    def _(self) -> dict[str, int]:
        return self.vocabulary.ids(Kind.NORMAL, Kind.USER_DEFINED, Kind.UNUSED)

    @_bytes.default
    def _(self) -> dict[int, int]:
        return self.vocabulary.byte_ids()

    @_cutter.default
    def _(self) -> Cutter:
        return Cutter(self.vocabulary.ids(Kind.USER_DEFINED))

    @_chunks.default
    def _(self) -> Chunks:
        mergeable = self.vocabulary.ids(Kind.NORMAL, Kind.UNUSED)  # user-defined ones are cut out before
        return Chunks(mergeable, self._chunk)

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        """The tokens of a text; see `Tokenizer`."""
        utf8(text)
        ids = [self.bos] if bos and self.add_bos and self.bos is not None else []
        spaced = SPACE * (self.add_space and text != "") + text.replace(" ", SPACE)
        for number, part in enumerate(self._cutter.cut(spaced)):
            ids += self._tokens(part) if number % 2 else self._chunks.encode(part)
        return self._settled(ids, spaced) if NONE in ids else ids

    def stream(self) -> ByteStream:
        """A decoder for one run of tokens; see `Tokenizer`."""
        return ByteStream(self._piece)

    def text(self, ids: Iterable[int]) -> str:
        """The text of a run of tokens."""
        return text_of(self.stream(), ids)

    def _settled(self, ids: list[int], spaced: str) -> list[int]:
        """Tokens with the unknown one in place of none. Raises UsageError where the vocabulary has no such token."""
        unknown = self.vocabulary.unknown
        if unknown is not None:
            return [unknown if token == NONE else token for token in fused(ids, NONE)]
        known = ids[: ids.index(NONE)]
        raise no_token(spaced.replace(SPACE, " "), sum(map(len, map(self._bytes_of, known))), int(self.add_space))

    def _chunk(self, chunk: str) -> list[int]:
        return [token for symbol in merge(list(chunk), self._join) for token in self._tokens(symbol)]

    def _join(self, left: str, right: str) -> tuple[float, str] | None:
        token = self._ids.get(left + right)
        return None if token is None else (-self.vocabulary.scores[token], left + right)

    def _tokens(self, symbol: str) -> list[int]:
        """A symbol's token, or those of its bytes."""
        token = self._ids.get(symbol)
        if token is not None:
            return [token]
        found = [self._bytes.get(byte, NONE) for byte in symbol.encode()]
        return [NONE] if NONE in found else found

    def _piece(self, token: int, before: int | None) -> bytes:
        """The bytes of a token; of the first in a text, without the space that encoding put there."""
        text, kind = self.vocabulary.known(token)
        added = self.add_space and before in (None, self.bos) and kind != Kind.BYTE and text.startswith(SPACE)
        return self._bytes_of(token)[added:]

    def _bytes_of(self, token: int) -> bytes:
        """The bytes of a token, wherever it stands."""
        text, kind = self.vocabulary.known(token)
        if kind == Kind.CONTROL:
            return b""
        if kind == Kind.UNKNOWN:
            return "\ufffd".encode()
        if kind == Kind.BYTE:
            return bytes([byte_of(text)])
        return text.replace(SPACE, " ").encode(errors="surrogateescape")
