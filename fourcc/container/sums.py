"""Comparing parts and blobs with their checksums: which bytes are no longer as they were written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from fourcc.container.layout import CHUNK, SUM_BYTES, chunk_seeds
from fourcc.errors import ChecksumError

if TYPE_CHECKING:
    from pathlib import Path

    from fourcc.container.index import BlobRecord, PartRecord

    ReadBytes = Callable[[int, int], bytearray | memoryview]  # (offset, count) -> the bytes there


def damaged_chunks(read: ReadBytes, tensor: str, region: PartRecord | BlobRecord) -> Iterator[tuple[int, int]]:
    """Offset and length of every chunk of a part or blob whose bytes differ from their checksum.

    Args:
        read: reads bytes of the file.
        tensor: name of the part's tensor; empty for a blob.
        region: the part or blob.
    """
    for offset, data, is_intact in _chunks(read, tensor, region):
        if not is_intact:
            yield offset, len(data)


def intact_chunks(
    read: ReadBytes, path: Path, region: PartRecord | BlobRecord, tensor: str | None = None
) -> Iterator[bytearray | memoryview]:
    """The bytes of a part or blob, chunk after chunk; takes and raises what `refuse_damage` does."""
    for offset, data, is_intact in _chunks(read, tensor or "", region):
        if not is_intact:
            raise _damaged(path, region, tensor, offset, len(data))
        yield data


def _chunks(
    read: ReadBytes, tensor: str, region: PartRecord | BlobRecord
) -> Iterator[tuple[int, bytearray | memoryview, bool]]:
    """Offset and bytes of every chunk, and whether they go with their checksum."""
    from xxhash import xxh3_64_intdigest

    starts = range(0, region.nbytes, CHUNK)
    for number, (start, seed) in enumerate(zip(starts, chunk_seeds(tensor, region.name), strict=False)):
        data = read(region.offset + start, min(CHUNK, region.nbytes - start))
        stored = int.from_bytes(region.sums[number * SUM_BYTES : (number + 1) * SUM_BYTES], "little")
        yield region.offset + start, data, xxh3_64_intdigest(data, seed=seed) == stored


def refuse_damage(read: ReadBytes, path: Path, region: PartRecord | BlobRecord, tensor: str | None = None) -> None:
    """Raises ChecksumError, naming the first damaged run of bytes, where a part or a blob is not as it was written.

    Args:
        read: reads bytes of the file.
        path: the file's name for the message.
        region: the part or blob.
        tensor: name of the part's tensor; None for a blob.
    """
    for offset, count in damaged_chunks(read, tensor or "", region):
        raise _damaged(path, region, tensor, offset, count)


def _damaged(path: Path, region: PartRecord | BlobRecord, tensor: str | None, offset: int, count: int) -> ChecksumError:
    kind = "blob" if tensor is None else "part"
    return ChecksumError(
        f"{kind} {region.name!r} is damaged: bytes {offset} to {offset + count - 1} differ from their checksum",
        file=path,
        tensor=tensor,
        offset=offset,
        hint="`fourcc verify` lists all damage.",
    )
