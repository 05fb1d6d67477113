"""Calibration files written from their description: importance matrices of llama.cpp, whole and damaged."""

import struct
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike

from tests.sources.writers import gguf, gguf_key

F32, I32, I64, STRING, ARRAY, UINT32, UINT64 = 0, 26, 27, 8, 9, 4, 10
KINDS = {"<f4": F32, "<i4": I32, "<i8": I64}
FOREIGN = [
    gguf_key("general.type", STRING, "imatrix"),
    gguf_key("imatrix.datasets", ARRAY, ["a.txt", "b.txt"], STRING),
    gguf_key("imatrix.chunk_count", UINT32, 3),
    gguf_key("imatrix.chunk_size", UINT32, 512),
]
OWN = [*FOREIGN, gguf_key("fourcc.calibration.version", UINT32, 1)]
QUERY = "blk.0.attn_q.weight"
SUMS: Mapping[str, ArrayLike] = {
    f"{QUERY}.in_sum2": np.array([[2, 4, 0, 8]], "<f4"),
    f"{QUERY}.counts": np.array([[4]], "<f4"),
}


def imatrix(tensors: Mapping[str, ArrayLike] = SUMS, keys: list[bytes] = FOREIGN) -> bytes:
    """A GGUF file of some arrays, each of a dtype in `KINDS`."""
    arrays = {name: np.asarray(array) for name, array in tensors.items()}
    return gguf(keys, [(name, array.shape, KINDS[array.dtype.str], array.tobytes()) for name, array in arrays.items()])


def entry(name: str, calls: int, values: ArrayLike, count: int | None = None) -> bytes:
    """An entry of a ``.dat``; `count` tells a lie about the values."""
    array = np.asarray(values, "<f4")
    size = array.size if count is None else count
    return struct.pack("<i", len(name)) + name.encode() + struct.pack("<ii", calls, size) + array.tobytes()


def dat(*entries: bytes, end: bytes = b"", count: int | None = None) -> bytes:
    """A ``.dat``."""
    return struct.pack("<i", len(entries) if count is None else count) + b"".join(entries) + end
