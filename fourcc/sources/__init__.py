"""Checkpoints as sources: one file a kind, each recognised by its bytes, never by its name.

A new kind adds a file with ``recognises(path, head)`` and ``open_x(path)``, and one line to `KINDS`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs

from fourcc.errors import SourceError
from fourcc.files import ReadFile
from fourcc.signatures import HEAD_BYTES, looks_like
from fourcc.sources import folder, gguf, llama2c, npz, safetensors, shards, tokenizer
from fourcc.sources.source import Source

MODEL_BIN_MAGIC = b"\x89FCC\r\n\x1a\n"


@attrs.frozen
class Kind:
    """A kind of checkpoint.

    Attributes:
        name: for people.
        recognises: (path, first bytes) -> whether the file is of this kind.
        open: opens it.
    """

    name: str
    recognises: Callable[[Path, bytes], bool]
    open: Callable[[Path], Source]


def _is_model_bin(path: Path, head: bytes) -> bool:  # noqa: ARG001 - every kind's signature
    return head.startswith(MODEL_BIN_MAGIC)


def _open_model_bin(path: Path) -> Source:
    from fourcc.sources.model_bin import open_model_bin

    return open_model_bin(path)


# Tried in this order: llama2.c's first version has no mark, so it comes last.
KINDS = (
    Kind("model.bin", _is_model_bin, _open_model_bin),
    Kind(gguf.KIND, gguf.recognises, gguf.open_gguf),
    Kind(npz.KIND, npz.recognises, npz.open_npz),
    Kind(safetensors.KIND, safetensors.recognises, safetensors.open_safetensors),
    Kind("safetensors index", shards.recognises, shards.open_index),
    Kind(llama2c.KIND, llama2c.recognises, llama2c.open_llama2c),
)


def open_source(path: str | Path, tokenizer_path: str | Path | None = None) -> Source:
    """Opens a checkpoint; no weight is read yet.

    Args:
        path: a file, or a folder that holds one model.
        tokenizer_path: a tokenizer file to go with it, in place of what the checkpoint brings.

    Returns:
        The source, to be closed.

    Raises:
        SourceError: it is no checkpoint, or a damaged one, or the tokenizer is not one of this model.
        OSError: a file cannot be opened.
    """
    path = Path(path)
    source = _open_folder(path) if path.is_dir() else _open_file(path)
    return source if tokenizer_path is None else _with_tokenizer(source, Path(tokenizer_path))


def _open_file(path: Path) -> Source:
    head = _head(path)
    for kind in KINDS:
        if kind.recognises(path, head):
            return kind.open(path)
    raise SourceError(
        f"not a checkpoint: {looks_like(head)}",
        file=path,
        found=f"{head[:8].hex(' ') or 'no'} bytes at the start",
        expected=", ".join(kind.name for kind in KINDS),
    )


def _head(path: Path) -> bytes:
    file = ReadFile(path, SourceError)
    try:
        return bytes(file.read(0, min(file.size, HEAD_BYTES)))
    finally:
        file.close()


def _open_folder(path: Path) -> Source:
    """The one model that a folder holds."""
    names = sorted(entry.name for entry in path.iterdir())
    indexes = [name for name in names if name.endswith(shards.INDEX_SUFFIX)]
    tensors = [name for name in names if name.endswith(".safetensors")]
    others = [name for name in names if name.endswith((".gguf", ".npz"))]
    candidates = [*(indexes or tensors[:1]), *others]
    if len(candidates) > 1:
        raise SourceError(f"more than one model: {', '.join(candidates)}", file=path, hint="Name one of the files.")
    if indexes:
        return shards.open_index(_member(path, indexes[0]))
    if len(tensors) > 1:
        return shards.open_numbered(path, tensors)
    if candidates:
        return _open_file(_member(path, candidates[0]))
    raise _no_model(path, names)


def _member(path: Path, name: str) -> Path:
    found = folder.file_in(path, name)
    if found is None:
        raise SourceError("a symbolic link that leads nowhere", file=path / name)
    return found


def _no_model(path: Path, names: list[str]) -> SourceError:
    """Why a folder cannot be read."""
    pickles = [name for name in names if name.endswith((".bin", ".pt", ".pth", ".ckpt"))]
    unfinished = [name for name in names if name.endswith((".incomplete", ".part", ".crdownload"))]
    what, hint = "no model in the folder", None
    if pickles:
        what = f"no model that can be read; {', '.join(pickles)} may be pickles"
        hint = "A pickle can execute code and is never read: convert it to safetensors. Name a llama2.c file itself."
    elif unfinished:
        hint = f"The download is not finished: {', '.join(unfinished)}."
    expected = "a .safetensors file, an index of them, a .gguf or a .npz"
    return SourceError(what, file=path, found=f"{len(names)} files", expected=expected, hint=hint)


def _with_tokenizer(source: Source, path: Path) -> Source:
    """A source whose tokenizer is the file given, in place of what it brings."""
    try:
        found = tokenizer.read_tokenizer(path)
        _check_vocabulary(source, found, path)
    except BaseException:
        source.close()
        raise
    notes = (*source.notes, f"{path}: the tokenizer ends within an entry") if found.cut else source.notes
    kept = {name: data for name, data in source.blobs.items() if not name.startswith("tokenizer.")}
    return attrs.evolve(source, blobs={**kept, found.blob: found.data}, files=(*source.files, path), notes=notes)


def _check_vocabulary(source: Source, found: tokenizer.Tokenizer, path: Path) -> None:
    """A llama2.c checkpoint and its tokenizer have no other bond than the number of tokens."""
    vocabulary = source.hyper.get("vocab_size")
    if source.kind.startswith(llama2c.KIND) and found.tokens not in (None, vocabulary):
        what = "the tokenizer is not this model's"
        raise SourceError(what, file=path, found=f"{found.tokens} tokens", expected=vocabulary)
