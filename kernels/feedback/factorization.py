"""The factor of a Hessian, H = (I + U) D (I + U)^T: the bits of `fourcc.feedback.factor.upper_factor`.

Row i of a matrix loses a multiple of every row k behind it, from the last one backward; each product and each
difference is rounded by itself. So the order in which rows and columns are visited is free. Here eight columns, a
panel, are reduced from the last row upward; the panel lies in scratch memory, a vector a row, and eight rows stay in
registers at a time.
"""

from __future__ import annotations

from fourcc.kernels.descriptors import DescriptorLayout
from fourcc.kernels.simd.arithmetic import divide, doubles_of, multiply, subtract
from fourcc.kernels.simd.double_tiles import less_products, load_double_columns
from fourcc.kernels.simd.memory import VECTOR, load_double, load_doubles, load_word, store, store_double
from fourcc.kernels.simd.tiles import store_columns

EIGHT = 8  # columns of a panel, and rows of a tile
FACTOR = DescriptorLayout(
    "size",  # rows and columns, a multiple of 8
    "matrix",  # address of float64 (size, size): the lower triangle is read; D and U take the diagonal and the rest
    "pitch",  # bytes from one row to the next
)
SIZE, MATRIX, PITCH = FACTOR.offset("size"), FACTOR.offset("matrix"), FACTOR.offset("pitch")


def scratch_bytes(size: int) -> int:
    """Bytes of scratch memory for a matrix of so many rows: a panel, and a vector."""
    return VECTOR * (size + 1)


def factorize(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Factors the whole matrix in place; `weights` is the address of its `FACTOR`, the rest is not read."""
    size, matrix, pitch = load_word(weights + SIZE), load_word(weights + MATRIX), load_word(weights + PITCH)
    for left in range(size - EIGHT, -EIGHT, -EIGHT):
        for top in range(size - EIGHT, left - EIGHT, -EIGHT):
            rows = matrix + pitch * top
            totals = load_double_columns(rows + 8 * left, pitch)
            for k in range(size - 1, top + EIGHT - 1, -1):
                totals = less_products(totals, load_doubles(scratch + VECTOR * k), rows + 8 * k, pitch)
            store_columns(scratch + VECTOR * top, VECTOR, totals)
            _reduce_within(matrix, pitch, left, top, scratch, scratch + VECTOR * size)


def _reduce_within(matrix: int, pitch: int, left: int, top: int, panel: int, spare: int) -> None:
    """Reduces eight rows of the panel by each other, and writes the panel's part of their columns of U."""
    for i in range(top + EIGHT - 1, top - 1, -1):
        row, place = load_doubles(panel + VECTOR * i), matrix + pitch * i
        for k in range(top + EIGHT - 1, i, -1):
            row = subtract(row, multiply(doubles_of(load_double(place + 8 * k)), load_doubles(panel + VECTOR * k)))
        store(panel + VECTOR * i, row)
        if top == left:
            store_double(place + 8 * i, load_double(panel + VECTOR * i + 8 * (i - left)))
        store(spare, divide(row, doubles_of(load_double(place + 8 * i))))
        for j in range(left, min(i, left + EIGHT)):
            store_double(matrix + pitch * j + 8 * i, load_double(spare + 8 * (j - left)))
