"""Random matrices of a format, as many different ones as no cache holds."""

from __future__ import annotations

from math import lcm

import attrs
import numpy as np

from fourcc import compute
from fourcc.encoding import encode
from fourcc.format import Array, Floats, Format
from fourcc.kernels.descriptors import LINE, empty
from fourcc.qmatrix import QMatrix

ROWS = 256  # of random weights; the rest of a matrix repeats them, at addresses of its own
SEED = 1
SPREAD = np.float32(0.02)  # standard deviation, about that of a trained layer


def weights(rows: int, cols: int) -> Floats:
    """Random weights, float32 (rows, cols); those of more than `ROWS` rows repeat the first ones."""
    few = np.random.default_rng(SEED).standard_normal((min(rows, ROWS), cols), np.float32) * SPREAD
    return few if len(few) == rows else np.resize(few, (rows, cols))


def activations(count: int, cols: int) -> Floats:
    """Random activations, float32 (count, cols)."""
    return np.random.default_rng(SEED + count).standard_normal((count, cols), np.float32)


def matrix(found: Format, rows: int, cols: int) -> QMatrix:
    """Random weights in a format: as if all of them had been encoded, in the time of a few rows.

    Args:
        found: it has an encoder, and the shape fits it.
        rows: of the matrix.
        cols: of the matrix.
    """
    spec = found.spec
    block = spec.block[0]
    if spec.variable or block is None:
        return encode(weights(rows, cols), spec.tag)
    few = min(rows, lcm(ROWS, block, *(part.rows or 1 for part in spec.parts)))
    small = encode(weights(few, cols), spec.tag)
    shapes = spec.part_shapes((rows, cols), small.params)
    parts = {name: np.resize(part, shapes[name]) for name, part in small.parts.items()}
    return QMatrix(spec.tag, (rows, cols), parts, small.params)


def copies(original: QMatrix, nbytes: int) -> list[QMatrix]:
    """Matrices like one, in memory of their own once they are packed, of at least `nbytes` together.

    Those whose kernel takes the parts as stored get parts of their own; of others the packed form will be.
    """
    kernel = compute.kernel_of(original.format, original.params)
    count = max(1, -(-nbytes // max(1, original.nbytes)))
    stored = kernel.pack is None and kernel.level != "decode"
    made = _side_by_side(original, count) if stored else [attrs.evolve(original) for _ in range(count)]
    for each in made:
        _ = each.packed
    return made


def _side_by_side(original: QMatrix, count: int) -> list[QMatrix]:
    """Copies of a matrix in one piece of memory, part behind part on cache lines, as a model's file has them."""
    sizes = {name: -(-part.nbytes // LINE) * LINE for name, part in original.parts.items()}
    piece, made, at = empty(count * sum(sizes.values())), [], 0
    for _ in range(count):
        parts = {}
        for name, part in original.parts.items():
            parts[name] = piece[at : at + part.nbytes].view(part.dtype).reshape(part.shape)
            parts[name][...] = part
            at += sizes[name]
        made.append(attrs.evolve(original, parts=parts))
    return made


def aligned(array: Array) -> Array:
    """A copy that begins on a cache line."""
    out: Array = empty(array.nbytes).view(array.dtype).reshape(array.shape)
    out[...] = array
    return out
