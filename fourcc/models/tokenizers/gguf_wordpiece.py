"""Words in pieces, from a vocabulary in GGUF: BERT's kind.

A text is cut at spaces, and before and behind marks of writing and ideographs. A piece that begins a word has U+2581
before its text. Of each word the longest piece that begins it is taken, then the longest that begins the rest; a word
of which a part has no piece becomes the unknown token. Controls are left out; where the vocabulary wants it, letters
become small ones and lose their accents. So a text does not come back as it was.

The rules are those of ``BertNormalizer`` and ``BertPreTokenizer`` in Hugging Face's tokenizers, whose vocabularies
these are; llama.cpp (``llm_tokenizer_wpm_session``) has them but for a few controls.
"""

from __future__ import annotations

import re
from unicodedata import category, normalize

import attrs

from fourcc.models.tokenizers.gguf_spm import SPACE
from fourcc.models.tokenizers.tokenizer import utf8
from fourcc.models.tokenizers.vocabulary import OverVocabulary, TokenKind, Vocabulary

_ASCII_MARKS = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
# Ideographs that are words by themselves (the ranges of BERT's own tokenizer).
_IDEOGRAPHS = re.compile(
    "[\u4e00-\u9fff\u3400-\u4dbf\uf900-\ufaff"
    "\U00020000-\U0002a6df\U0002a700-\U0002b73f\U0002b740-\U0002b81f\U0002b920-\U0002ceaf\U0002f800-\U0002fa1f]"
)


@attrs.frozen(slots=False)
class WordPieceTokenizer(OverVocabulary):
    """A tokenizer that takes the longest pieces.

    Attributes:
        vocabulary: tokens; those that begin a word start with U+2581.
        add_bos: whether BOS comes before a text.
        lowercase: whether letters become small ones.
        strip_accents: whether letters lose their accents.
    """

    vocabulary: Vocabulary
    add_bos: bool = True
    lowercase: bool = True
    strip_accents: bool = True
    _ids: dict[str, int] = attrs.field(init=False, repr=False, eq=False)
    _longest: int = attrs.field(init=False, repr=False, eq=False)

    @_ids.default
    def _(self) -> dict[str, int]:
        return self.vocabulary.ids(TokenKind.NORMAL, TokenKind.USER_DEFINED, TokenKind.UNUSED)

    @_longest.default
    def _(self) -> int:
        return max(map(len, self._ids), default=1)

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        """The tokens of a text; see `Tokenizer`."""
        utf8(text)
        ids = [self.bos] if bos and self.add_bos and self.bos is not None else []
        unknown = [] if self.vocabulary.unknown is None else [self.vocabulary.unknown]
        return ids + [token for word in self._words(text) for token in self._pieces(SPACE + word) or unknown]

    def _words(self, text: str) -> list[str]:
        """The words of a text, without spaces."""
        spaced = "".join(filter(None, map(_kept, text)))
        spaced = _IDEOGRAPHS.sub(r" \g<0> ", spaced)
        if self.strip_accents:
            spaced = "".join(each for each in normalize("NFD", spaced) if category(each) != "Mn")
        spaced = spaced.lower() if self.lowercase else spaced
        return "".join(f" {each} " if _is_mark(each) else each for each in spaced).split()

    def _pieces(self, word: str) -> list[int]:
        """The pieces of a word; none where a part of it has no piece."""
        pieces, at = [], 0
        while at < len(word):
            ends = range(min(len(word), at + self._longest), at, -1)
            end = next((end for end in ends if word[at:end] in self._ids), None)
            if end is None:
                return []
            pieces.append(self._ids[word[at:end]])
            at = end
        return pieces

    def _piece(self, token: int, before: int | None) -> bytes:
        """The bytes of a token; the first word of a text has no space before it."""
        first = before is None or self.vocabulary.kinds[before] == TokenKind.CONTROL
        return self._bytes_of(token).removeprefix(b" " if first else b"")

    def _text_bytes(self, text: str, kind: int) -> bytes:  # noqa: ARG002 - as in `OverVocabulary`
        return text.replace(SPACE, " ").encode(errors="surrogateescape")


def _kept(character: str) -> str:
    """The character, a space in place of white space, nothing in place of a control."""
    if character in "\t\n\r":
        return " "
    kind = category(character)
    if kind.startswith("Z"):
        return " "
    return "" if character in "\0\ufffd" or kind.startswith("C") else character


def _is_mark(character: str) -> bool:
    return character in _ASCII_MARKS or category(character).startswith("P")
