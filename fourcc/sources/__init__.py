"""Checkpoints as sources: one file a kind, each recognised by its bytes."""

from __future__ import annotations

from pathlib import Path

from fourcc.errors import SourceError
from fourcc.files import ReadFile
from fourcc.signatures import HEAD_BYTES, looks_like
from fourcc.sources import llama2c
from fourcc.sources.source import Source


def open_source(path: str | Path, tokenizer: str | Path | None = None) -> Source:
    path = Path(path)
    file = ReadFile(path, SourceError)
    try:
        head = bytes(file.read(0, min(file.size, HEAD_BYTES)))
    finally:
        file.close()
    if llama2c.recognises(path, head):
        return llama2c.open_llama2c(path)
    raise SourceError(f"not a checkpoint: {looks_like(head)}", file=path)
