"""Sparse weights beside those of the blocks: the places and the values of each row's, which products add.

They have a descriptor of their own, a matrix of three parts: int64 (rows + 1,), the number of each row's first one,
then the end; int32, their columns; float32, their values. The last word of the matrix's own descriptor is its address.
"""

from __future__ import annotations

from fourcc.kernels.descriptors import COUNT, OUT, OUT_STRIDE, PARTS, WORD, X_STRIDE, X
from fourcc.kernels.simd.memory import load_float, load_int, load_word, store_float

STARTS, PLACES, VALUES = PARTS, PARTS + WORD, PARTS + 2 * WORD


def add_sparse_products(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Adds the products of rows first .. last with all activations to what is in the product already."""
    starts, places, values = load_word(weights + STARTS), load_word(weights + PLACES), load_word(weights + VALUES)
    x_stride, out_stride = load_word(job + X_STRIDE), load_word(job + OUT_STRIDE)
    for column in range(load_word(job + COUNT)):
        x, out = load_word(job + X) + column * x_stride, load_word(job + OUT) + column * out_stride
        for row in range(first, last):
            total = load_float(out + 4 * row)
            for at in range(4 * load_word(starts + 8 * row), 4 * load_word(starts + 8 * row + 8), 4):
                total += load_float(values + at) * load_float(x + 4 * load_int(places + at))
            store_float(out + 4 * row, total)


def add_sparse_weights(weights: int, row: int, out: int, shift: int) -> None:
    """Adds a row's sparse weights to its decoded ones, which lie ``1 << shift`` bytes apart from `out` on."""
    starts, places, values = load_word(weights + STARTS), load_word(weights + PLACES), load_word(weights + VALUES)
    for at in range(4 * load_word(starts + 8 * row), 4 * load_word(starts + 8 * row + 8), 4):
        place = out + (load_int(places + at) << shift)
        store_float(place, load_float(place) + load_float(values + at))
