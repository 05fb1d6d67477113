"""Tokenizers: text to tokens and back. Each kind is a file; the name of a model's blob tells which it is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from fourcc.errors import InputError
from fourcc.models.tokenizers.llama2c import read_llama2c
from fourcc.models.tokenizers.tokenizer import TextStream, Tokenizer
from fourcc.sources import tokenizer as blobs_of

__all__ = ["TextStream", "Tokenizer", "open_tokenizer"]

# Blob -> its reader, in the order of preference where a model has several.
_READERS: dict[str, Callable[[bytes, object], Tokenizer]] = {
    blobs_of.LLAMA2C: read_llama2c,
}


def open_tokenizer(blobs: Mapping[str, bytes], file: object = None) -> Tokenizer:
    """The tokenizer among the blobs of a model.

    Args:
        blobs: name -> bytes, as `convert` stores them.
        file: for messages.

    Raises:
        InputError: there is none, or it is damaged.
        UsageError: a package that reads it is not installed.
    """
    for name, read in _READERS.items():
        if name in blobs:
            return read(blobs[name], _place(file, name))
    raise InputError(
        "the model has no tokenizer",
        file=file,
        found=", ".join(map(repr, sorted(blobs))) or "no blobs",
        expected=" or ".join(_READERS),
        hint="Convert it again with --tokenizer FILE.",
    )


def _place(file: object, name: str) -> str:
    """What a message calls the blob."""
    if file is None:
        return name
    return str(file) if Path(str(file)).name == name else f"{file} ({name})"
