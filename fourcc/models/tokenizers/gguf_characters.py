"""Pairs of characters by rank, from a vocabulary in GGUF: Gemma 4's kind.

A space is written U+2581. Lines are merged as a whole, without being cut into words; a run of line ends that is a token
stays whole. A character without a token becomes the tokens of its bytes, ``<0x0A>``.
"""

from __future__ import annotations

import attrs

from fourcc.models.tokenizers.gguf_bpe import BytePairTokenizer
from fourcc.models.tokenizers.gguf_spm import SPACE
from fourcc.models.tokenizers.tokenizer import NONE


@attrs.frozen(slots=False)
class CharacterPairTokenizer(BytePairTokenizer):
    """A tokenizer that merges pairs of characters by rank; see `BytePairTokenizer`."""

    _bytes: dict[int, int] = attrs.field(init=False, repr=False, eq=False)

    @_bytes.default
    def _of_bytes(self) -> dict[int, int]:
        named = {byte: self._ids[f"<0x{byte:02X}>"] for byte in range(256) if f"<0x{byte:02X}>" in self._ids}
        return named | self.vocabulary.byte_ids()

    def _words(self, text: str) -> list[str]:
        return self.splitting.words(text.replace(" ", SPACE))

    def _letters(self, word: str) -> list[str]:
        return list(word)

    def _whole(self, word: str) -> int | None:
        return self._ids.get(word) if word.startswith("\n") else None

    def _tokens(self, symbol: str) -> list[int]:
        """A symbol's token, or the tokens of its bytes."""
        token = self._ids.get(symbol)
        return [token] if token is not None else [self._bytes.get(byte, NONE) for byte in symbol.encode()]

    def _text_bytes(self, text: str, kind: int) -> bytes:  # noqa: ARG002 - as in `OverVocabulary`
        return text.replace(SPACE, " ").encode(errors="surrogateescape")
