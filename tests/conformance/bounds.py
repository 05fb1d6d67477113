"""The error bounds of the pages in ``specs/``: how far a decoded weight may be from its original."""

from collections.abc import Callable

import numpy as np

from fourcc.format import Array

F32_ULP = 2.0**-24  # relative half step of float32
F32_LEAST = 2.0**-149
F16_LEAST = 2.0**-25  # half the smallest float16


def blockwise(w: Array, rows: int, cols: int, measure: Callable[[Array], Array]) -> Array:
    """A measure of each block of rows x cols, spread over the block's weights.

    Args:
        w: float64 (m, n).
        rows: of a block.
        cols: of a block.
        measure: block -> number.
    """
    out = np.empty_like(w)
    for i in range(0, w.shape[0], rows):
        for j in range(0, w.shape[1], cols):
            block = (slice(i, i + rows), slice(j, j + cols))
            out[block] = measure(w[block])
    return out


def largest(block: Array) -> Array:
    """Max |w|."""
    return np.abs(block).max()


def extent(block: Array) -> Array:
    """Max w - min w."""
    return block.max() - block.min()


def q8_a(w: Array) -> Array:
    """Half a step of scale / 127, and the rounding of the product."""
    return blockwise(w, 128, 1, largest) * (1 / 254 + 2 * F32_ULP) + F32_LEAST


def q8_b(w: Array) -> Array:
    """The same with the scale max |w - mean|, at most the extent of the block, or its largest weight from 2^127 on."""
    amax = blockwise(w, 1, 128, largest)
    scale = np.where(amax >= 2.0**127, amax, blockwise(w, 1, 128, lambda block: np.abs(block - block.mean()).max()))
    return scale * (1 / 254 + 2 * F32_ULP) + 2 * amax * F32_ULP + F32_LEAST


def q4_a(w: Array) -> Array:
    """The mean squared error is at most (extent / 32)^2, so that one weight is off by sqrt(n) times its root."""
    return blockwise(w, 1, 256, q4_a_block) + F32_LEAST


def q4_a_block(block: Array) -> Array:
    """Bound of one block without the denormal rest."""
    return min(1.0, block.size**0.5 / 32) * extent(block) * (1 + 2**-20) + F32_ULP * largest(block)


def q8_0(w: Array) -> Array:
    """Half a step, and 127 times the error of the float16 scale."""
    return blockwise(w, 1, 32, largest) * (1 / 254 + 2**-11 + 2**-19) + 127 * F16_LEAST


def q4_0(w: Array) -> Array:
    """A whole step (the code 16 that would be needed is cut to 15), and 8 times the error of the float16 scale."""
    return blockwise(w, 1, 32, largest) * (1 / 8 + 2**-11 + 2**-19) + 8 * F16_LEAST


BOUNDS: dict[str, Callable[[Array], Array]] = {
    "F32": np.zeros_like,
    "F64": np.zeros_like,
    "F16": lambda w: np.abs(w) * 2**-11 + F16_LEAST,
    "BF16": lambda w: np.abs(w) * 2**-8 + 2.0**-134,
    "Q8_A": q8_a,
    "Q8_B": q8_b,
    "Q4_A": q4_a,
    "Q8_0": q8_0,
    "Q4_0": q4_0,
}
