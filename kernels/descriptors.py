"""The descriptors that every kernel takes: arrays of int64 whose words are sizes and addresses.

A kernel's first argument is the address of a matrix's descriptor, its second that of a job's. Both are made here, from
arrays whose shapes are known, before any address is formed; a kernel trusts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

WORD = 8  # bytes
LINE = 64

# A matrix: its columns, its rows, the addresses of its packed parts, then for each the bytes of an entry of axis 0.
COLS, ROWS, PARTS = 0, 8, 16

# A job: how many activations (columns of the product), where its parts are, where the product goes.
COUNT = 0
OUT, OUT_STRIDE = 8, 16  # float32; bytes from one activation's results to the next one's
X, X_STRIDE = 24, 32  # the activations as they came, float32, zeros up to a multiple of 512
CODES, CODES_STRIDE = 40, 48  # int8, zeros up to a multiple of 512
SCALES, SCALES_STRIDE = 56, 64  # float32, one for 32 columns: a code's worth
ZERO_CORRECTIONS = 72  # float32, one for 32 columns, as far apart: what the codes' zero point takes away
SUMS = 80  # float32, one for 32 columns, as far apart: the sum of what codes are worth, or of the activations
JOB_WORDS = 11

BLOCK = 32  # columns of an activation that share a scale
PADDING = 512  # activations are followed by zeros up to a multiple of this


def round_up(cols: int) -> int:
    """Columns with the zeros that follow an activation's."""
    return (cols + (PADDING - 1)) // PADDING * PADDING


def address(array: Array) -> int:
    """Where an array's bytes begin."""
    found: int = array.__array_interface__["data"][0]
    return found


def empty(count: int, dtype: str = "|u1") -> Array:
    """Memory for `count` numbers that begins on a cache line, so that no vector straddles two."""
    size = np.dtype(dtype).itemsize * count
    memory = np.empty(size + LINE, np.uint8)
    skip = -address(memory) % LINE
    return memory[skip : skip + size].view(dtype)


def matrix(rows: int, cols: int, parts: Sequence[Array]) -> Array:
    """Descriptor of a matrix, int64 (2 + 2 parts,): sizes, addresses, bytes of an entry; it keeps no array alive.

    Raises:
        ValueError: a part that is not C-contiguous.
    """
    for part in parts:
        if not part.flags.c_contiguous:
            raise ValueError(f"a part of shape {part.shape} is not contiguous")
    entries = [part.nbytes // len(part) if len(part) else 0 for part in parts]
    return np.array([cols, rows, *map(address, parts), *entries], np.int64)
