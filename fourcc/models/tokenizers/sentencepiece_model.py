"""A SentencePiece .model, read by the package sentencepiece: the package encodes, the pieces decode.

A piece decodes to its text, with U+2581 as a space; the first piece of a text loses the space that encoding put there.
The unknown piece gives U+FFFD, control pieces give nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from fourcc.errors import InputError
from fourcc.files.json_text import parse_object
from fourcc.models.tokenizers.ends import END_NAMES
from fourcc.models.tokenizers.gguf_spm import SPACE
from fourcc.models.tokenizers.packages import package, translated
from fourcc.models.tokenizers.tokenizer import ByteStream, checked, text_of, utf8

_UNKNOWN = "\ufffd".encode()


@attrs.frozen
class SentencePieceTokenizer:
    """A SentencePiece model.

    Attributes:
        processor: the package's tokenizer.
        pieces: bytes of the tokens.
        spaced: whether encoding puts a space before a text.
        file: the file that messages name.
        add_bos: whether BOS comes before a text.
    """

    processor: Any
    pieces: tuple[bytes, ...]
    spaced: bool
    file: object
    add_bos: bool = True

    @property
    def vocab_size(self) -> int:
        """Number of tokens."""
        return len(self.pieces)

    @property
    def bos(self) -> int | None:
        """The token before a text, where there is one."""
        return _some(self.processor.bos_id(), self.vocab_size)

    @property
    def eos(self) -> int | None:
        """The token behind a text, where there is one."""
        return _some(self.processor.eos_id(), self.vocab_size)

    @property
    def ends(self) -> frozenset[int]:
        """The tokens that end a text; see `Tokenizer`."""
        ends = {self.eos, *map(self.special, END_NAMES)}
        return frozenset(token for token in ends if token is not None)

    @property
    def padding(self) -> frozenset[int]:
        """Tokens that no text has: none here."""
        return frozenset()

    def special(self, name: str) -> int | None:
        """A special token; see `Tokenizer`."""
        with translated("the model cannot look a name up", self.file):
            token: int = self.processor.piece_to_id(name)
            if self.processor.is_unknown(token) or self.pieces[token]:
                return None  # before its name is asked for: the unknown piece's name need not be text
            return token if self.processor.id_to_piece(token) == name else None

    @property
    def specials(self) -> Mapping[str, int]:
        """See `Tokenizer`: the control pieces."""
        found = (token for token, piece in enumerate(self.pieces) if not piece and self.processor.is_control(token))
        return {self.name(token): token for token in found}

    @property
    def added(self) -> Mapping[str, int]:
        """See `Tokenizer`: the package does not tell its user-defined pieces from others."""
        return {}

    def name(self, token: int) -> str:
        """See `Tokenizer`."""
        with translated("the model cannot name a token", self.file):
            text: str = self.processor.id_to_piece(checked(token, self.vocab_size))
        return text

    def encode(self, text: str, *, bos: bool = True) -> list[int]:
        """The tokens of a text; see `Tokenizer`."""
        utf8(text)
        with translated("the model cannot encode a text", self.file):
            ids: list[int] = self.processor.encode(text)
        return [self.bos, *ids] if bos and self.add_bos and self.bos is not None else ids

    def stream(self) -> ByteStream:
        """A decoder for one run of tokens; see `Tokenizer`."""
        return ByteStream(self._piece)

    def text(self, ids: Iterable[int]) -> str:
        """The text of a run of tokens."""
        return text_of(self.stream(), ids)

    def _piece(self, token: int, before: int | None) -> bytes:
        piece = self.pieces[checked(token, self.vocab_size)]
        added = self.spaced and before in (None, self.bos) and not self.processor.is_byte(token)
        return piece.removeprefix(b" ") if added else piece


def adds_bos(configuration: bytes | None, file: object) -> bool:
    """Whether BOS comes before a text, as ``tokenizer_config.json`` beside a .model says; True where it does not say.

    Raises:
        InputError: the configuration is damaged.
    """
    return configuration is None or parse_object(configuration, file).get("add_bos_token") is not False


def read_sentencepiece(data: bytes, file: object) -> SentencePieceTokenizer:
    """The tokenizer in the bytes of a .model.

    Raises:
        InputError: the package refuses the file.
        UsageError: the package is not installed.
    """
    if not data:
        raise InputError("the file is empty", file=file, offset=0, found="0 bytes", expected="a SentencePiece model")
    module = package("sentencepiece", file)
    with translated("not a SentencePiece model", file):
        processor = module.SentencePieceProcessor(model_proto=data)
        pieces = tuple(_piece_bytes(processor, token) for token in range(processor.vocab_size()))
        return SentencePieceTokenizer(processor, pieces, processor.normalize("a").startswith(SPACE), file)


def _piece_bytes(processor: Any, token: int) -> bytes:  # noqa: ANN401 - the package's
    """The bytes that a token stands for."""
    if processor.is_control(token):
        return b""
    if processor.is_unknown(token):
        return _UNKNOWN
    text: str = processor.id_to_piece(token)
    return bytes.fromhex(text[3:5]) if processor.is_byte(token) else text.replace(SPACE, " ").encode()


def _some(token: int, count: int) -> int | None:
    """The token; None where the number is no token's."""
    return token if 0 <= token < count else None
