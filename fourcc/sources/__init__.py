"""Checkpoints as sources: one file a kind, recognised by its bytes, never by its name.

A new kind adds a file with ``recognises(path, head)`` and ``open_x(path)``, and one line to `KINDS`. Those of third
parties are plugins (`fourcc.sources.plugged`).
"""

from __future__ import annotations

import logging
from collections.abc import Container
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

import attrs

from fourcc.container.layout import MAGIC
from fourcc.container.shard_list import is_list_head
from fourcc.errors import SourceError
from fourcc.files.backing import backing_of
from fourcc.files.beside import file_in
from fourcc.files.part_names import refuse_unfinished
from fourcc.files.read import ReadFile
from fourcc.files.signatures import HEAD_BYTES, known, looks_like, marked
from fourcc.networks import unheeded
from fourcc.sources import ggjt, gguf, llama2c, llama2c_bytes, llama2c_records, npz, safetensors, shards
from fourcc.sources.elsewhere import DOWNLOAD, Transfer, located
from fourcc.sources.folder import choose
from fourcc.sources.kind import SourceKind
from fourcc.sources.model_bin import open_model_bin
from fourcc.sources.plugged import claimant, hint_on_broken, plugged_sources
from fourcc.sources.source import SHOWN, Source
from fourcc.sources.token_count import token_notes
from fourcc.sources.tokenizer import replaced


def _is_model_bin(path: Path, head: bytes) -> bool:  # noqa: ARG001 - every kind's signature
    return head.startswith(MAGIC) or is_list_head(head)


_log = logging.getLogger(__name__)

# They are tried in this order; llama2.c's first version and its forks have no mark, so they come after plugins' kinds.
KINDS = (
    SourceKind("model.bin", _is_model_bin, open_model_bin),
    SourceKind(gguf.KIND, gguf.recognises, gguf.open_gguf),
    SourceKind(ggjt.KIND, ggjt.recognises, ggjt.open_ggjt),
    SourceKind(npz.KIND, npz.recognises, npz.open_npz),
    SourceKind(safetensors.KIND, safetensors.recognises, safetensors.open_safetensors),
    SourceKind("safetensors index", shards.recognises, shards.open_index),
    SourceKind(llama2c_records.KIND, llama2c_records.recognises, llama2c_records.open_records, marked=False),
    SourceKind("llama2.c with a scale a tensor", llama2c_bytes.recognises, llama2c_bytes.open_bytes, marked=False),
    SourceKind(llama2c.KIND, llama2c.recognises, llama2c.open_llama2c, marked=False),
)
PLUGGED = plugged_sources([kind.name for kind in KINDS])


def open_source(path: str | Path, tokenizer: str | Path | None = None, transfer: Transfer = DOWNLOAD) -> Source:
    """Opens a checkpoint; no weight is read yet.

    Args:
        path: a file, or a folder that holds one model; or a model on a hub, ``org/name`` or ``hf://org/name@revision``,
            or the address of a file.
        tokenizer: a tokenizer file to go with it, in place of the one that the checkpoint brings.
        transfer: how the bytes of a model that lies elsewhere come.

    Returns:
        The source, to be closed.

    Raises:
        SourceError: it is no checkpoint, or a damaged one, or the tokenizer is not one of this model; or the hub does
            not give it.
        UsageError: it lies on a hub, and the package huggingface_hub is missing.
        OSError: a file cannot be opened, or the network fails.
    """
    refuse_unfinished(Path(path))
    with ExitStack() as stack:
        place = stack.enter_context(located(Path(path), transfer))
        source = _open_folder(place) if place.is_dir() else _open_file(place)
        stack.callback(source.close)
        source = source if tokenizer is None else _with_tokenizer(source, Path(tokenizer))
        return _told(Path(path), attrs.evolve(source, close=stack.pop_all().close))


def _told(path: Path, source: Source) -> Source:
    """The source with the notes on it; `-v` tells of its files."""
    _log.info("opened %s: %s, %d tensors, files: %d", path, source.kind, len(source.tensors), len(source.files))
    for companion in source.companions:
        _log.info("read %s, which goes with it", companion)
    counts = token_notes(source.blobs, source.hyper)
    return attrs.evolve(source, notes=(*source.notes, *counts, *_empty(source), *warnings(source)))


def warnings(source: Source, names: Container[str] | None = None) -> list[str]:
    """Notes on all that keeps the model from being run, so the user knows when it is converted.

    Args:
        source: the checkpoint.
        names: of the tensors that are converted; None: all.
    """
    shapes = {tensor.name: tensor.shape for tensor in source.everything if names is None or tensor.name in names}
    refusals = unheeded(source.architecture, source.hyper, shapes)
    return [str(refusal.error()) for refusal in islice(refusals, SHOWN)]


def _empty(source: Source) -> list[str]:
    """Notes on a source without tensors, or on tensors without a weight."""
    if not source.everything:
        return ["the checkpoint holds no tensor"]
    bare = [tensor.name for tensor in source.everything if 0 in tensor.shape]
    return [f"{safetensors.named(bare)} {'have' if len(bare) > 1 else 'has'} no weight"] if bare else []


def _open_file(path: Path) -> Source:
    file = ReadFile(path, SourceError)
    try:
        head = bytes(file.read(0, min(file.size, HEAD_BYTES)))
    finally:
        file.close()
    kind = _kind_of(path, head)
    if kind is not None:
        return _opened(kind, path)
    unknown = bool(head) and known(head) is None
    names = [*(kind.name for kind in KINDS), *PLUGGED.names()]
    raise SourceError(
        f"not a checkpoint: {looks_like(head)}",
        file=path,
        found=head[:8].hex(" ") or None,
        expected=f"one of {', '.join(names)}" if unknown else None,
        hint=hint_on_broken(PLUGGED),
    )


def _opened(kind: SourceKind, path: Path) -> Source:
    """The file as a source; where its kind was only guessed, an error names the plugins that could not be asked."""
    try:
        return kind.open(path)
    except SourceError as error:
        if not kind.marked:
            error.hint = " ".join(filter(None, [error.hint, hint_on_broken(PLUGGED)])) or None
        raise


def _kind_of(path: Path, head: bytes) -> SourceKind | None:
    """The kind that a file is of; plugins are asked after what has a mark, and before what has none."""
    backing = backing_of(path)
    certain, guessed = ([kind for kind in KINDS if kind.marked is mark] for mark in (True, False))
    foreign = marked(head) is not None and not head.startswith(llama2c.MAGIC)
    for kind in certain:
        if kind.recognises(path, head):
            return kind
    if backing is not None and PLUGGED.names():
        backing.fill()  # a plugin reads as it likes
    return claimant(PLUGGED, path, head) or next(
        (kind for kind in guessed if not foreign and kind.recognises(path, head)), None
    )


def _open_folder(path: Path) -> Source:
    try:
        names = choose(path)
    except SourceError:
        kind = claimant(PLUGGED, path, b"")
        if kind is None:
            raise
        return kind.open(path)
    if len(names) > 1:
        return shards.open_numbered(path, names)
    file = file_in(path, names[0])
    if file is None:
        raise SourceError("a symbolic link to nothing", file=path / names[0])
    return attrs.evolve(_open_file(file), path=path)


def _with_tokenizer(source: Source, path: Path) -> Source:
    """The source with the tokenizer that the user names, in place of any other."""
    exact = source.kind.startswith(llama2c.KIND)
    try:
        blobs, notes = replaced(source.blobs, path, source.hyper.get("vocab_size"), exact=exact)
    except BaseException:
        source.close()
        raise
    return attrs.evolve(source, blobs=blobs, companions=(*source.companions, path), notes=(*source.notes, *notes))
