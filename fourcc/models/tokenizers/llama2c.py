"""llama2.c's tokenizer.bin: pieces with scores.

::

    u32 longest piece in bytes | for each piece, up to the end: f32 score, u32 length, its bytes     little-endian

    0 <unk>   1 before a text   2 behind a text   3 to 258 <0x00> to <0xFF>   from 259 on pieces of text
    or, where the vocabulary has no tokens of bytes:                           from 3 on pieces of text

Encoding: a space is put before the text; each character becomes its piece, or the tokens of its UTF-8 bytes. Then the
neighbours whose joined piece has the highest score are joined, again and again; ties go to the leftmost pair. In a
vocabulary without tokens of bytes a run of characters without a piece becomes ``<unk>``, as in SentencePiece; where
token 0 is another, the text is refused. (llama2.c adds 3 to such a byte and takes that token, whatever it is.)
Decoding: ``<0xXX>`` is a byte; a space behind token 1 is removed. Control characters are not filtered out.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Mapping
from math import isfinite

import attrs

from fourcc.errors import InputError
from fourcc.models.tokenizers.merging import Chunks, merge
from fourcc.models.tokenizers.tokenizer import NONE, ByteStream, checked, fused, no_token, text_of, utf8

UNKNOWN, BOS, EOS, FIRST_BYTE = 0, 1, 2, 3
_UNKNOWN_PIECE = b"<unk>"
_LEAST_SCORE = -1e10  # no merge gives a piece whose score is not above this
_FIRST_TEXT = FIRST_BYTE + 256
_BYTE_PIECES = tuple(b"<0x%02X>" % byte for byte in range(256))
_HEAD, _ENTRY = struct.Struct("<I"), struct.Struct("<fI")
_BYTE = re.compile(rb"<0x([0-9A-Fa-f]{2})>")


@attrs.frozen
class Llama2cTokenizer:
    """A tokenizer.bin.

    Attributes:
        pieces: each token's bytes.
        scores: each token's score.
    """

    pieces: tuple[bytes, ...]
    scores: tuple[float, ...]
    _ids: dict[bytes, int] = attrs.field(init=False, repr=False, eq=False)
    _chunks: Chunks = attrs.field(init=False, repr=False, eq=False)
    _bytes: bool = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "_bytes", self.has_bytes)
        ids: dict[bytes, int] = {}
        for token, piece in enumerate(self.pieces):
            ids.setdefault(piece, token)
        object.__setattr__(self, "_ids", ids)
        texts = [piece.decode(errors="surrogateescape") for piece in ids]
        single = frozenset(text for text in texts if len(text) == 1)  # others become tokens of bytes, which merge, too
        object.__setattr__(self, "_chunks", Chunks(texts, self._chunk, single))

    @property
    def vocab_size(self) -> int:
        """Number of tokens."""
        return len(self.pieces)

    @property
    def has_bytes(self) -> bool:
        """Whether tokens 3 to 258 are the tokens of bytes."""
        return self.pieces[FIRST_BYTE:_FIRST_TEXT] == _BYTE_PIECES

    @property
    def ends(self) -> frozenset[int]:
        """The tokens that end a text; see `Tokenizer`."""
        return frozenset([EOS])

    @property
    def padding(self) -> frozenset[int]:
        """Tokens that no text has: none here."""
        return frozenset()

    @property
    def bos(self) -> int:
        """The token before a text."""
        return BOS

    @property
    def eos(self) -> int:
        """The token behind a text."""
        return EOS

    def special(self, name: str) -> int | None:
        """A special token; see `Tokenizer`."""
        return self.specials.get(name)

    @property
    def specials(self) -> Mapping[str, int]:
        """See `Tokenizer`."""
        return {"<s>": BOS, "</s>": EOS}

    @property
    def added(self) -> Mapping[str, int]:
        """See `Tokenizer`: none here."""
        return {}

    def name(self, token: int) -> str:
        """See `Tokenizer`."""
        names = {number: name for name, number in self.specials.items()}
        return names.get(token) or self.pieces[checked(token, self.vocab_size)].decode(errors="replace")

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        """The tokens of a text; see `Tokenizer`."""
        utf8(text)
        ids = self._chunks.encode(f" {text}" if text else "")
        return [BOS] * bos + (self._settled(ids, text) if NONE in ids else ids)

    def stream(self) -> ByteStream:
        """A decoder for one run of tokens; see `Tokenizer`."""
        return ByteStream(self._piece)

    def text(self, ids: Iterable[int]) -> str:
        """The text of a run of tokens."""
        return text_of(self.stream(), ids)

    def _settled(self, ids: list[int], text: str) -> list[int]:
        """Tokens with the unknown token in place of NONE. Raises UsageError where the vocabulary has none."""
        if self.pieces[UNKNOWN] == _UNKNOWN_PIECE:
            return [UNKNOWN if token == NONE else token for token in fused(ids, NONE)]
        known = ids[: ids.index(NONE)]
        raise no_token(f" {text}", sum(len(self._piece(token, None)) for token in known), before=1)

    def _chunk(self, chunk: str) -> list[int]:
        return merge([token for character in chunk for token in self._character(character.encode())], self._join)

    def _character(self, character: bytes) -> list[int]:
        known = self._ids.get(character)
        if known is not None:
            return [known]
        return [FIRST_BYTE + byte for byte in character] if self._bytes else [NONE]

    def _join(self, left: int, right: int) -> tuple[float, int] | None:
        token = None if NONE in (left, right) else self._ids.get(self.pieces[left] + self.pieces[right])
        if token is None or self.scores[token] <= _LEAST_SCORE:
            return None
        return -self.scores[token], token

    def _piece(self, token: int, before: int | None) -> bytes:
        """The bytes of a token; token 1 has none."""
        piece = self.pieces[checked(token, self.vocab_size)]
        if token == BOS:
            return b""
        if before == BOS:
            piece = piece.removeprefix(b" ")
        byte = _BYTE.fullmatch(piece)
        return bytes.fromhex(byte[1].decode()) if byte else piece


def read_llama2c(data: bytes, file: object) -> Llama2cTokenizer:
    """The tokenizer in the bytes of a file.

    Raises:
        InputError: the file ends within a piece, or states what is impossible.
    """
    if len(data) < _HEAD.size:
        raise InputError("the file is too short", file=file, offset=0, found=f"{len(data)} bytes", expected="4 or more")
    (longest,) = _HEAD.unpack_from(data)
    pieces: list[bytes] = []
    scores: list[float] = []
    at = _HEAD.size
    while at < len(data):
        score, piece = _entry(data, at, longest, file)
        pieces.append(piece)
        scores.append(score)
        at += _ENTRY.size + len(piece)
    _check_bytes(pieces, at, file)
    return Llama2cTokenizer(tuple(pieces), tuple(scores))


def _entry(data: bytes, at: int, longest: int, file: object) -> tuple[float, bytes]:
    """The score and the piece at an offset."""
    rest = len(data) - at - _ENTRY.size
    if rest < 0:
        found = f"{len(data) - at} bytes"
        raise InputError("the file ends within a token", file=file, offset=at, found=found, expected="8 or more")
    score, length = _ENTRY.unpack_from(data, at)
    if not isfinite(score):
        raise InputError("a token's score is no number", file=file, offset=at, found=score)
    if length > min(rest, longest):
        what, most = ("the file ends within a token", rest) if rest < longest else ("a token is too long", longest)
        raise InputError(what, file=file, offset=at + 4, found=f"{length} bytes", expected=f"at most {most}")
    return score, data[at + _ENTRY.size : at + _ENTRY.size + length]


def _check_bytes(pieces: list[bytes], end: int, file: object) -> None:
    """Refuses a file with some of the tokens of bytes: encoding takes them by number, so all must be there, or none."""
    byte_pieces = pieces[FIRST_BYTE:_FIRST_TEXT]
    some = any(piece == expected for piece, expected in zip(byte_pieces, _BYTE_PIECES, strict=False))
    least = _FIRST_TEXT if some else FIRST_BYTE
    if len(pieces) < least:
        what = "the file ends before the tokens of all bytes" if some else "the file ends before the special tokens"
        raise InputError(what, file=file, offset=end, found=f"{len(pieces)} tokens", expected=f"{least} or more")
    for place, (piece, expected) in enumerate(zip(byte_pieces, _BYTE_PIECES, strict=False) if some else ()):
        if piece != expected:
            token = FIRST_BYTE + place
            at = _HEAD.size + sum(_ENTRY.size + len(each) for each in pieces[:token]) + _ENTRY.size
            what = f"token {token} is not a byte's"
            raise InputError(what, file=file, offset=at, found=f"{piece!r:.40}", expected=repr(expected))
