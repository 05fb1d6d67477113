"""Matrices of a format, of random or given weights, so many different ones that no cache holds them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from math import lcm

import attrs
import numpy as np

from fourcc import compute
from fourcc.arrays import Array, Floats
from fourcc.encoding import encode
from fourcc.format import Format
from fourcc.kernels.descriptors import LINE, empty
from fourcc.qmatrix import QMatrix

ROWS = 256  # of random weights; the rest of a matrix repeats them, at addresses of its own
SEED = 1
FLOAT_BYTES = 4
SPREAD = np.float32(0.02)  # standard deviation, about that of a trained layer


def weights(rows: int, cols: int) -> Floats:
    """Random weights, float32 (rows, cols); after `ROWS` rows they repeat."""
    few = np.random.default_rng(SEED).standard_normal((min(rows, ROWS), cols), np.float32) * SPREAD
    return few if len(few) == rows else np.resize(few, (rows, cols))


def activations(count: int, cols: int) -> Floats:
    """Random activations, float32 (count, cols)."""
    return np.random.default_rng(SEED + count).standard_normal((count, cols), np.float32)


def matrix(
    fmt: Format,
    rows: int,
    cols: int,
    encoded: Callable[[int], QMatrix] | None = None,
) -> QMatrix:
    """A matrix in a format: a few rows are encoded, the others repeat them.

    Args:
        fmt: the format; it has an encoder, and the shape fits it.
        rows: of the matrix.
        cols: of the matrix.
        encoded: (count) -> the matrix's first `count` rows in the format; by default random ones.
    """
    first = encoded or partial(_random, fmt, cols)
    spec = fmt
    block = spec.block[0]
    if spec.variable or block is None:
        return first(rows)
    few = min(rows, lcm(ROWS, block, *(part.rows or 1 for part in spec.parts)))
    small = first(few)
    shapes = spec.part_shapes((rows, cols), small.params)
    parts = {name: np.resize(part, shapes[name]) for name, part in small.parts.items()}
    return QMatrix(spec.tag, (rows, cols), parts, small.params)


def _random(fmt: Format, cols: int, rows: int) -> QMatrix:
    return encode(weights(rows, cols), fmt.tag)


def copies(original: QMatrix, nbytes: int) -> list[QMatrix]:
    """Copies of a matrix, packed, each in memory of its own, of at least `nbytes` together.

    If the kernel takes the parts as stored, each copy gets parts of its own; otherwise its packed form is its own.
    """
    kernel = compute.kernel_of(original.format, original.params)
    count = max(1, -(-nbytes // max(1, original.nbytes)))
    stored = kernel.pack is None and kernel.level != "decode"
    matrices = _side_by_side(original, count) if stored else [attrs.evolve(original) for _ in range(count)]
    for each in matrices:
        _ = each.packed
    return matrices


def _side_by_side(original: QMatrix, count: int) -> list[QMatrix]:
    """Copies of a matrix in one piece of memory, part after part on cache lines, as in a model's file."""
    sizes = {name: -(-part.nbytes // LINE) * LINE for name, part in original.parts.items()}
    piece, matrices, at = empty(count * sum(sizes.values())), [], 0
    for _ in range(count):
        parts = {}
        for name, part in original.parts.items():
            parts[name] = piece[at : at + part.nbytes].view(part.dtype).reshape(part.shape)
            parts[name][...] = part
            at += sizes[name]
        matrices.append(attrs.evolve(original, parts=parts))
    return matrices


def aligned(array: Array) -> Array:
    """A copy of an array that begins on a cache line."""
    out: Array = empty(array.nbytes).view(array.dtype).reshape(array.shape)
    out[...] = array
    return out
