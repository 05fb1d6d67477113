"""SentencePiece's pairs by score, from a vocabulary in GGUF.

A space is written U+2581, and one is put before the text where the vocabulary wants it. Neighbours are joined where
their joined text is a token, the highest score first; ties go to the leftmost pair. A character without a token becomes
the tokens of its bytes, where every byte has one, or else the unknown token, once for a run of such characters. Where
the vocabulary has neither, the text is refused. Control tokens come from no text and give none.
"""

from __future__ import annotations

import attrs

from fourcc.models.tokenizers.merging import Chunks, merge
from fourcc.models.tokenizers.tokenizer import NONE, fused, no_token, utf8
from fourcc.models.tokenizers.vocabulary import Cutter, OverVocabulary, TokenKind, Vocabulary

SPACE = "\u2581"


@attrs.frozen(slots=False)
class ScoredTokenizer(OverVocabulary):
    """A tokenizer that merges pairs by score.

    Attributes:
        vocabulary: tokens.
        add_bos: whether BOS comes before a text.
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
        return self.vocabulary.ids(TokenKind.NORMAL, TokenKind.USER_DEFINED, TokenKind.UNUSED)

    @_bytes.default
    def _(self) -> dict[int, int]:
        return self.vocabulary.byte_ids()

    @_cutter.default
    def _(self) -> Cutter:
        return Cutter(self.vocabulary.ids(TokenKind.USER_DEFINED))

    @_chunks.default
    def _(self) -> Chunks:
        mergeable = self.vocabulary.ids(TokenKind.NORMAL, TokenKind.UNUSED)  # user-defined ones are cut out earlier
        return Chunks(mergeable, self._chunk)

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        """The tokens of a text; see `Tokenizer`."""
        utf8(text)
        ids = [self.bos] if bos and self.add_bos and self.bos is not None else []
        spaced = SPACE * (self.add_space and text != "") + text.replace(" ", SPACE)
        for number, part in enumerate(self._cutter.cut(spaced)):
            ids += self._tokens(part) if number % 2 else self._chunks.encode(part)
        return self._settled(ids, spaced) if NONE in ids else ids

    def _settled(self, ids: list[int], spaced: str) -> list[int]:
        """Tokens with the unknown token in place of NONE. Raises UsageError where the vocabulary has none."""
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
        """A symbol's token, or the tokens of its bytes."""
        token = self._ids.get(symbol)
        if token is not None:
            return [token]
        of_bytes = [self._bytes.get(byte, NONE) for byte in symbol.encode()]
        return [NONE] if NONE in of_bytes else of_bytes

    def _piece(self, token: int, before: int | None) -> bytes:
        """The bytes of a token; the first token of a text loses the space that encoding put there."""
        text, kind = self.vocabulary.known(token)
        added = self.add_space and before in (None, self.bos) and kind != TokenKind.BYTE and text.startswith(SPACE)
        return self._bytes_of(token)[added:]

    def _text_bytes(self, text: str, kind: int) -> bytes:  # noqa: ARG002 - as in `OverVocabulary`
        return text.replace(SPACE, " ").encode(errors="surrogateescape")
