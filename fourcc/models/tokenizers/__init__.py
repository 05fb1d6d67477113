"""Tokenizers: text to tokens and back. A module reads each kind; the name of a model's blob tells which kind it is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path

import attrs

from fourcc.errors import InputError
from fourcc.models.tokenizers.gguf import read_gguf
from fourcc.models.tokenizers.huggingface import read_json
from fourcc.models.tokenizers.llama2c import read_llama2c
from fourcc.models.tokenizers.sentencepiece_model import SentencePieceTokenizer, adds_bos, read_sentencepiece
from fourcc.models.tokenizers.tokenizer import TextStream, Tokenizer, in_use
from fourcc.sources import tokenizer as blobs_of

__all__ = ["TextStream", "Tokenizer", "in_use", "open_tokenizer"]

# Blob -> its reader; where a model has several, the first counts.
_log = logging.getLogger(__name__)
_READERS: dict[str, Callable[[bytes, object], Tokenizer]] = {
    blobs_of.LLAMA2C: read_llama2c,
    blobs_of.GGUF: read_gguf,
    blobs_of.JSON: read_json,  # often has added tokens that the .model beside it lacks
    blobs_of.SENTENCEPIECE: read_sentencepiece,
}


def open_tokenizer(blobs: Mapping[str, bytes], file: object = None) -> Tokenizer:
    """The tokenizer among the blobs of a model.

    Args:
        blobs: name -> bytes, as `convert` stores them.
        file: the file that messages name.

    Raises:
        InputError: there is no tokenizer, or it is damaged.
        UsageError: a package that reads it is not installed.
    """
    for name, read in _READERS.items():
        if name in blobs:
            place = _place(file, name)
            if len(blobs[name]) > blobs_of.MAX_TOKENIZER:
                found, most = f"{len(blobs[name])} bytes", f"at most {blobs_of.MAX_TOKENIZER}"
                raise InputError("too long for a tokenizer", file=place, found=found, expected=most)
            tokenizer = read(blobs[name], place)
            _log.info("the tokenizer is %s", place)
            if isinstance(tokenizer, SentencePieceTokenizer):
                beside = blobs_of.CONFIGURATION
                return attrs.evolve(tokenizer, add_bos=adds_bos(blobs.get(beside), _place(file, beside)))
            return tokenizer
    raise InputError(
        "the model has no tokenizer",
        file=file,
        hint="Give one with -z FILE: llama2.c's tokenizer.bin, a tokenizer.json, or a SentencePiece .model.",
    )


def _place(file: object, name: str) -> str:
    """The blob's name in messages."""
    if file is None:
        return name
    return str(file) if Path(str(file)).name == name else f"{file} ({name})"
