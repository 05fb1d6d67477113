"""The fixed bytes of a container: head, tail, alignment, checksums. ``specs/container.md`` is the normative page.

::

    0        64                     index_offset             size - 64      size
    | head   | parts and blobs, each at a multiple of 64 | index | tail     |
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"\x89FCC\r\n\x1a\n"  # like PNG's: it shows a cleared eighth bit and both ways of mangling line ends
END_MAGIC = b"\x89FCCend\n"
MAJOR, MINOR = 1, 0
ALIGNMENT = 64
CHUNK = 1 << 20  # bytes that one checksum covers
SUM_BYTES = 8
INDEX_CAP = 64 << 20

_HEAD = struct.Struct("<8sHH52x")
_TAIL = struct.Struct("<QQQ32s8s")
HEAD_BYTES = _HEAD.size
HEAD_USED = 12  # the rest is zero
TAIL_BYTES = _TAIL.size


def aligned(offset: int) -> int:
    """The offset rounded up to a multiple of `ALIGNMENT`."""
    return -(-offset // ALIGNMENT) * ALIGNMENT


def pack_head() -> bytes:
    """The first 64 bytes of every file of this version."""
    return _HEAD.pack(MAGIC, MAJOR, MINOR)


def unpack_version(head: bytes) -> tuple[int, int]:
    """Major and minor version of a head."""
    _, major, minor = _HEAD.unpack(head)
    return major, minor


class Tail(NamedTuple):
    """The last 64 bytes.

    Attributes:
        index_offset: where the index starts, a multiple of 64.
        index_bytes: its length.
        file_bytes: length of the whole file, tail included.
        digest: BLAKE2b-256 over head and index: the file's id.
        magic: `END_MAGIC`.
    """

    index_offset: int
    index_bytes: int
    file_bytes: int
    digest: bytes
    magic: bytes = END_MAGIC

    def pack(self) -> bytes:
        """The 64 bytes."""
        return _TAIL.pack(self.index_offset, self.index_bytes, self.file_bytes, self.digest, self.magic)

    @classmethod
    def unpack(cls, data: bytes) -> Tail:
        """The tail that 64 bytes spell, unchecked."""
        return cls(*_TAIL.unpack(data))


def file_digest(head: bytes, index: bytes) -> bytes:
    """BLAKE2b-256 over head and index: the file's id, since the index holds the checksums of all other bytes."""
    try:
        from _blake2 import (
            blake2b,  # hashlib's own; asking hashlib for it would load OpenSSL, a tenth of a listing's time
        )
    except ImportError:
        from hashlib import blake2b

    return blake2b(head + index, digest_size=32).digest()


def sum_count(nbytes: int) -> int:
    """Number of checksums of a part."""
    return -(-nbytes // CHUNK)


def chunk_seeds(tensor: str, part: str, first: int = 0) -> Iterator[int]:
    """The seeds of a part's checksums from a chunk on; a seed binds a checksum to tensor, part and position.

    The seed of chunk k is XXH3-64 of ``tensor NUL part NUL k``, k in decimal; the chunk's sum is XXH3-64 with it.
    """
    from xxhash import xxh3_64_intdigest

    number = first
    while True:
        yield xxh3_64_intdigest(f"{tensor}\0{part}\0{number}".encode())
        number += 1


class PartSummer:
    """Computes the checksums of a part whose bytes come in runs of any length, in order.

    Args:
        tensor: the tensor's name; empty for a blob.
        part: the part's, or the blob's, name.
        first: number of the first chunk that comes.
    """

    def __init__(self, tensor: str, part: str, first: int = 0) -> None:
        self._seeds = chunk_seeds(tensor, part, first)
        self._sums = bytearray()
        self._left = 0  # bytes that the current chunk still takes
        self._restart()

    def _restart(self) -> None:
        from xxhash import xxh3_64

        self._hash = xxh3_64(seed=next(self._seeds))
        self._left = CHUNK

    def update(self, data: memoryview) -> None:
        """Adds bytes."""
        while len(data):
            run = data[: self._left]
            self._hash.update(run)
            self._left -= len(run)
            data = data[len(run) :]
            if not self._left:
                self._flush()

    def _flush(self) -> None:
        self._sums += self._hash.intdigest().to_bytes(SUM_BYTES, "little")
        self._restart()

    def finish(self) -> bytes:
        """All checksums, 8 little-endian bytes each."""
        if self._left < CHUNK:
            self._flush()
        return bytes(self._sums)
