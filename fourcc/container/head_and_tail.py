"""Reading the head and the tail of a container, and the index that the tail points to."""

from __future__ import annotations

from pathlib import Path

from fourcc.container.index import Index
from fourcc.container.layout import (
    ALIGNMENT,
    END_MAGIC,
    HEAD_BYTES,
    HEAD_USED,
    INDEX_CAP,
    MAGIC,
    MAJOR,
    TAIL_BYTES,
    Tail,
    file_digest,
    unpack_version,
)
from fourcc.container.parse import parse_index
from fourcc.errors import IndexDamageError, UnknownVersionError
from fourcc.files.part_names import refuse_unfinished
from fourcc.files.read import ReadFile


def recognisable(path: Path) -> bool:
    """Whether a file is, or once was, a container: it begins or ends like one. Raises SourceError: it is unfinished."""
    refuse_unfinished(path)
    file = ReadFile(path)
    try:
        start = bytes(file.read(0, min(file.size, len(MAGIC))))
        end = bytes(file.read(max(0, file.size - len(END_MAGIC)), min(file.size, len(END_MAGIC))))
    finally:
        file.close()
    return start == MAGIC or end == END_MAGIC


def read_index(file: ReadFile) -> tuple[tuple[int, int], Tail, Index]:
    """Version, tail and index of a container, each checked.

    Raises:
        UnknownVersionError: it is of a version that is not known here.
        IndexDamageError: it is no container, or head, tail or index are damaged or cut.
        TableError: the index is intact but describes tensors that cannot be.
    """
    head = bytes(file.read(0, min(file.size, HEAD_BYTES)))
    _check_magic(file, head)
    version = unpack_version(head)
    try:
        tail = _read_tail(file)
    except IndexDamageError as error:  # another major version may have another tail
        raise error if version[0] == MAJOR else _unknown_version(file, version) from error
    packed = bytes(file.read(tail.index_offset, tail.index_bytes))
    if file_digest(head, packed) != tail.digest:
        raise IndexDamageError(
            "the index is damaged: its digest differs from the one in the tail",
            file=file.path,
            offset=tail.index_offset,
        )
    if version[0] != MAJOR:
        raise _unknown_version(file, version)
    if any(head[HEAD_USED:]):
        raise IndexDamageError("bytes 12 to 63 of the head are not zero", file=file.path, offset=HEAD_USED)
    return version, tail, parse_index(packed, tail.index_offset, file.path)


def _check_magic(file: ReadFile, head: bytes) -> None:
    if not head.startswith(MAGIC):
        from fourcc.files.signatures import looks_like

        raise IndexDamageError(
            f"not a model.bin: {looks_like(head)}",
            file=file.path,
            offset=0,
            found=head[:8].hex(" "),
            expected=MAGIC.hex(" "),
        )
    if file.size < HEAD_BYTES + TAIL_BYTES:
        raise IndexDamageError(
            "the file is cut",
            file=file.path,
            found=f"{file.size} bytes",
            expected=f"at least {HEAD_BYTES + TAIL_BYTES}",
        )


def _unknown_version(file: ReadFile, version: tuple[int, int]) -> UnknownVersionError:
    return UnknownVersionError(
        "unknown version of the container",
        file=file.path,
        offset=len(MAGIC),
        found=".".join(map(str, version)),
        expected=f"{MAJOR}.x",
        hint="Upgrade fourcc." if version[0] > MAJOR else None,
    )


def _read_tail(file: ReadFile) -> Tail:
    tail = Tail.unpack(bytes(file.read(file.size - TAIL_BYTES, TAIL_BYTES)))
    _check_tail(file, tail)
    return tail


def _check_tail(file: ReadFile, tail: Tail) -> None:
    where = file.size - TAIL_BYTES
    if tail.magic != END_MAGIC:
        raise IndexDamageError(
            "the file is cut, or something was appended: it does not end with a tail",
            file=file.path,
            offset=file.size - len(END_MAGIC),
            found=tail.magic.hex(" "),
            expected=END_MAGIC.hex(" "),
        )
    if tail.file_bytes != file.size:
        raise IndexDamageError("wrong length", file=file.path, found=f"{file.size} bytes", expected=tail.file_bytes)
    if tail.index_offset + tail.index_bytes != where or tail.index_offset % ALIGNMENT or tail.index_offset < HEAD_BYTES:
        raise IndexDamageError(
            "the tail does not point to the index before it",
            file=file.path,
            offset=where,
            found=f"{tail.index_bytes} bytes at {tail.index_offset}",
        )
    if tail.index_bytes > INDEX_CAP:
        raise IndexDamageError(
            "the index is too large", file=file.path, found=f"{tail.index_bytes} bytes", expected=f"at most {INDEX_CAP}"
        )
