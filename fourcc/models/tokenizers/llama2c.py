"""llama2.c's tokenizer.bin: pieces with scores.

::

    u32 longest piece in bytes | for each piece, up to the end: f32 score, u32 length, its bytes     little-endian

    0 <unk>   1 before a text   2 behind a text   3 to 258 <0x00> to <0xFF>   from 259 on pieces of text

Encoding: a space is put before the text; each character becomes its piece, or its UTF-8 bytes' tokens; then the
neighbours whose joined piece has the highest score are joined, over and over, the leftmost of equals first.
Decoding: ``<0xXX>`` is a byte; a space is taken away behind token 1. Control characters are not filtered out.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from math import isfinite

import attrs

from fourcc.errors import InputError
from fourcc.models.tokenizers.merging import Chunks, merge
from fourcc.models.tokenizers.tokenizer import ByteStream, checked, text_of, utf8

BOS, EOS, FIRST_BYTE = 1, 2, 3
_LEAST_SCORE = -1e10  # pieces of no higher score are never made
_FIRST_TEXT = FIRST_BYTE + 256
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

    def __attrs_post_init__(self) -> None:
        ids: dict[bytes, int] = {}
        for token, piece in enumerate(self.pieces):
            ids.setdefault(piece, token)
        object.__setattr__(self, "_ids", ids)
        texts = [piece.decode(errors="surrogateescape") for piece in ids]
        single = frozenset(text for text in texts if len(text) == 1)  # others become names of bytes, which merge, too
        object.__setattr__(self, "_chunks", Chunks(texts, self._chunk, single))

    @property
    def vocab_size(self) -> int:
        """Number of tokens."""
        return len(self.pieces)

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
        return {"<s>": BOS, "</s>": EOS}.get(name)

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        """The tokens of a text; see `Tokenizer`."""
        utf8(text)
        return [BOS] * bos + self._chunks.encode(f" {text}" if text else "")

    def stream(self) -> ByteStream:
        """A decoder for one run of tokens; see `Tokenizer`."""
        return ByteStream(self._piece)

    def text(self, ids: Iterable[int]) -> str:
        """The text of a run of tokens."""
        return text_of(self.stream(), ids)

    def _chunk(self, chunk: str) -> list[int]:
        return merge([token for character in chunk for token in self._character(character.encode())], self._join)

    def _character(self, character: bytes) -> list[int]:
        known = self._ids.get(character)
        return [FIRST_BYTE + byte for byte in character] if known is None else [known]

    def _join(self, left: int, right: int) -> tuple[float, int] | None:
        token = self._ids.get(self.pieces[left] + self.pieces[right])
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
        InputError: it ends within a piece, or says what cannot be true.
    """
    if len(data) < _HEAD.size:
        raise InputError("the file is too short", file=file, offset=0, found=f"{len(data)} bytes", expected="4 or more")
    (longest,) = _HEAD.unpack_from(data)
    pieces: list[bytes] = []
    scores: list[float] = []
    at = _HEAD.size
    while at < len(data):
        score, piece = _entry(data, at, longest, file)
        _check_byte(piece, len(pieces), at, file)
        pieces.append(piece)
        scores.append(score)
        at += _ENTRY.size + len(piece)
    if len(pieces) < _FIRST_TEXT:
        what = "the file ends before the tokens of all bytes"
        raise InputError(what, file=file, offset=at, found=f"{len(pieces)} tokens", expected=f"{_FIRST_TEXT} or more")
    return Llama2cTokenizer(tuple(pieces), tuple(scores))


def _entry(data: bytes, at: int, longest: int, file: object) -> tuple[float, bytes]:
    """The score and the piece that stand at an offset."""
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


def _check_byte(piece: bytes, token: int, at: int, file: object) -> None:
    """The tokens of bytes are taken by their number, so they must be what they should be."""
    expected = b"<0x%02X>" % (token - FIRST_BYTE)
    if FIRST_BYTE <= token < _FIRST_TEXT and piece != expected:
        what = f"token {token} is not a byte's"
        raise InputError(what, file=file, offset=at + 8, found=f"{piece!r:.40}", expected=repr(expected))
