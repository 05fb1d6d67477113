"""A tokenizer.json that takes pieces without merging, as keys of a GGUF file: Unigram is ``t5``, WordPiece ``bert``."""

from __future__ import annotations

import binascii
import struct
from base64 import b64decode
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

from fourcc.errors import InputError
from fourcc.exporters.gguf_agreement import WayToWrite, read_as_written
from fourcc.exporters.gguf_entries import refuse_twins
from fourcc.exporters.tokenizer_json import TokenizerJson
from fourcc.models.tokenizers.gguf_spm import SPACE
from fourcc.models.tokenizers.vocabulary import TokenKind

_GOES_ON = "##"  # before a piece that goes on in a word, unless the model says another


def unigram_candidates(described: TokenizerJson, specials: Mapping[str, Any]) -> Iterator[WayToWrite]:
    """With a space before a text and without, with runs of spaces as they are and as one."""
    texts, kinds = described.table()
    unknown = described.model.get("unk_id")
    unknown = unknown if type(unknown) is int and unknown < len(texts) else None
    if unknown is not None:
        kinds[unknown] = TokenKind.UNKNOWN
    refuse_twins(texts, described.file)
    charsmap = list(_charsmap(described))
    for space, merged in product((True, False), (True, False)):
        values = {
            "model": "t5",
            "pre": "default",
            "tokens": texts,
            "scores": [_as_written(described.scores.get(token, 0.0)) for token in range(len(texts))],
            "token_type": list(map(int, kinds)),
            **({"unknown_token_id": unknown} if unknown is not None else {}),
            **specials,
            "add_space_prefix": space,
            "remove_extra_whitespaces": merged,
            **({"precompiled_charsmap": charsmap} if charsmap else {}),
        }
        yield read_as_written(f"'t5' {'with' if space else 'without'} add_space_prefix", values, described.file)


def word_candidates(described: TokenizerJson, specials: Mapping[str, Any]) -> Iterator[WayToWrite]:
    """The one way: a piece that begins a word has U+2581 before it, one that goes on has nothing."""
    texts, kinds = described.table()
    mark = described.model.get("continuing_subword_prefix")
    mark = mark if isinstance(mark, str) and mark else _GOES_ON
    unknown = described.token(described.model.get("unk_token"))
    for token, (text, kind) in enumerate(zip(texts, kinds, strict=True)):
        if kind != TokenKind.CONTROL and token != unknown:
            texts[token] = text.removeprefix(mark) if text.startswith(mark) else SPACE + text
    refuse_twins(texts, described.file)
    lowercase, strips = _normalizing(described)
    values = {
        "model": "bert",
        "pre": "default",
        "tokens": texts,
        "token_type": list(map(int, kinds)),
        **({"unknown_token_id": unknown} if unknown is not None else {}),
        **specials,
        "normalizer.lowercase": lowercase,
        "normalizer.strip_accents": strips,
    }
    yield read_as_written("'bert'", values, described.file)


def _as_written(score: float) -> float:
    """The float32 that a file holds of a score."""
    (written,) = struct.unpack("<f", struct.pack("<f", score))
    return float(written)


def _normalizing(described: TokenizerJson) -> tuple[bool, bool]:
    """Whether letters become small ones, and whether they lose their accents."""
    lowercase = "Lowercase" in described.types("normalizer")
    strips = "StripAccents" in described.types("normalizer")
    for part in described.parts("normalizer"):
        if part.get("type") == "BertNormalizer":
            lowercase = part.get("lowercase") is True
            said = part.get("strip_accents")
            strips = said if isinstance(said, bool) else lowercase
    return lowercase, strips


def _charsmap(described: TokenizerJson) -> bytes:
    """The bytes of SentencePiece's own normalization."""
    for part in described.parts("normalizer"):
        if part.get("type") == "Precompiled":
            try:
                return b64decode(str(part.get("precompiled_charsmap")), validate=True)
            except binascii.Error as error:
                raise InputError("the precompiled charsmap is no base64", file=described.file) from error
    return b""
