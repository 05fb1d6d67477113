"""The likeliest pieces of a text, from a vocabulary in GGUF: T5's kind, which SentencePiece calls unigram.

A text is normalized by the vocabulary's own table (`fourcc.models.tokenizers.charsmap`), and a space is written U+2581.
Then it is cut into pieces whose scores, logarithms of likelihoods, have the greatest sum; a user-defined token adds
nothing. A character without a piece becomes the unknown token, which scores 10 less than the worst piece; a run of such
characters becomes one. The rules are SentencePiece's (``unigram_model.cc``, ``normalizer.cc``).
"""

from __future__ import annotations

from functools import cached_property

import attrs

from fourcc.models.tokenizers.charsmap import Charsmap
from fourcc.models.tokenizers.gguf_spm import SPACE
from fourcc.models.tokenizers.tokenizer import NONE, fused, no_token, utf8
from fourcc.models.tokenizers.vocabulary import Cutter, OverVocabulary, TokenKind, Vocabulary

_PENALTY = 10.0


@attrs.frozen(slots=False)
class UnigramTokenizer(OverVocabulary):
    """A tokenizer that takes the likeliest pieces.

    Attributes:
        vocabulary: tokens.
        add_bos: whether BOS comes before a text.
        add_space: whether a space comes before a text.
        merge_spaces: whether a run of spaces becomes one, and none at the ends of a text.
        charsmap: replacements before anything else.
    """

    vocabulary: Vocabulary
    add_bos: bool = False
    add_space: bool = False
    merge_spaces: bool = False
    charsmap: Charsmap = attrs.field(factory=Charsmap)
    _scores: dict[str, tuple[float, int]] = attrs.field(init=False, repr=False, eq=False)
    _lengths: dict[str, list[int]] = attrs.field(init=False, repr=False, eq=False)
    _cutter: Cutter = attrs.field(init=False, repr=False, eq=False)

    @_scores.default
    def _(self) -> dict[str, tuple[float, int]]:
        texts = self.vocabulary.ids(TokenKind.NORMAL, TokenKind.USER_DEFINED, TokenKind.UNUSED)
        kinds, scores = self.vocabulary.kinds, self.vocabulary.scores
        user = TokenKind.USER_DEFINED
        return {text: (0.0 if kinds[token] == user else scores[token], token) for text, token in texts.items()}

    @_lengths.default
    def _(self) -> dict[str, list[int]]:
        lengths: dict[str, set[int]] = {}
        for text in self._scores:
            lengths.setdefault(text[0], set()).add(len(text))
        return {first: sorted(some) for first, some in lengths.items()}

    @_cutter.default
    def _(self) -> Cutter:
        return Cutter(self.vocabulary.ids(TokenKind.USER_DEFINED))

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        """The tokens of a text; see `Tokenizer`."""
        utf8(text)
        ids = [self.bos] if bos and self.add_bos and self.bos is not None else []
        normal = self._normalized(text)
        pieces = fused(self._likeliest(normal), NONE)
        unknown = self.vocabulary.unknown
        if NONE in pieces and unknown is None:
            known = pieces[: pieces.index(NONE)]
            raise no_token(normal, sum(len(self.vocabulary.tokens[token].encode()) for token in known))
        return [*ids, *(unknown if token == NONE else token for token in pieces)]  # type: ignore[list-item]  # not None

    def _normalized(self, text: str) -> str:
        """The text that is cut, with U+2581 in place of spaces."""
        parts = self._cutter.cut(text)
        replaced = "".join(part if number % 2 else self._replaced(part) for number, part in enumerate(parts))
        if self.merge_spaces:
            replaced = " ".join(filter(None, replaced.split(" ")))
        spaced = replaced.replace(" ", SPACE)
        wanted = spaced if self.merge_spaces else text  # a text of controls alone still gets its space
        return SPACE + spaced if self.add_space and wanted else spaced

    def _replaced(self, text: str) -> str:
        raw, at, out = text.encode(), 0, []
        while at < len(raw):
            found = self.charsmap.longest(raw, at)
            length, new = found or (1, raw[at : at + 1])
            out.append(new)
            at += length
        return b"".join(out).decode(errors="replace")

    def _likeliest(self, text: str) -> list[int]:
        """The best pieces, by the best sum up to each place; NONE for a character without a piece."""
        best: list[tuple[float, int, int]] = [(0.0, 0, NONE)] + [(float("-inf"), 0, NONE)] * len(text)
        for at in range(len(text)):
            before, single = best[at][0], False
            for length in self._lengths.get(text[at], ()):
                score, token = self._scores.get(text[at : at + length], (0.0, NONE))
                if token == NONE or at + length > len(text):
                    continue
                single = single or length == 1
                if before + score > best[at + length][0]:
                    best[at + length] = (before + score, at, token)
            if not single and before + self._worst > best[at + 1][0]:
                best[at + 1] = (before + self._worst, at, NONE)
        return self._back(best)

    @staticmethod
    def _back(best: list[tuple[float, int, int]]) -> list[int]:
        """The pieces that lead to the end."""
        pieces, at = [], len(best) - 1
        while at:
            _, before, token = best[at]
            pieces.append(token)
            at = before
        return pieces[::-1]

    @cached_property
    def _worst(self) -> float:
        """The score of a character without a piece."""
        kinds, scores = self.vocabulary.kinds, self.vocabulary.scores
        normal = (score for kind, score in zip(kinds, scores, strict=True) if kind == TokenKind.NORMAL)
        return min(normal, default=0.0) - _PENALTY

    def _piece(self, token: int, before: int | None) -> bytes:
        """The bytes of a token; the first token of a text loses the space that encoding put there."""
        first = self.add_space and (before is None or self.vocabulary.kinds[before] == TokenKind.CONTROL)
        return self._bytes_of(token).removeprefix(b" " if first else b"")

    def _text_bytes(self, text: str, kind: int) -> bytes:  # noqa: ARG002 - as in `OverVocabulary`
        return text.replace(SPACE, " ").encode(errors="surrogateescape")
