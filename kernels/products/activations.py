"""Activations as products of codes take them: bytes, with a scale for 32 columns.

They are quantized as ggml's Q8_0: in a block of 32, s = max |x| / 127 and q = x / s, rounded half to even; s stays a
float32. Such scales are *dynamic*. *Static* ones come from ranges that were recorded beforehand: s = range / 127, and a
code beyond 127 becomes 127.

Two terms of a product depend on the activation alone, so they are computed once, not once a row: the zero correction
-zero * s * sum q, where zero is the code of weight 0, and the sum s * sum q.

An offset is multiplied by s * sum q. So the error of an activation is multiplied by the whole weight, and not by
scale * code alone. Where the offset is the mean of a block's weights, scale * code is the smaller of the two; there the
sum is that of x before it was quantized.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import (
    BLOCK,
    CODES,
    CODES_STRIDE,
    COLS,
    RANGES,
    SCALES,
    SCALES_STRIDE,
    SUMS,
    X_STRIDE,
    ZERO_CORRECTIONS,
    X,
    round_up,
)
from fourcc.kernels.simd.arithmetic import (
    absolute,
    add,
    floats_of,
    larger,
    largest,
    multiply,
    rounded,
    smaller,
    subtract,
    sum_floats,
)
from fourcc.kernels.simd.int8 import store_as_bytes
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import load_float, load_floats, load_word, store_float

FindRange = Callable[[int, int, Lanes, Lanes], np.float32]  # (job, block, x's first 16 lanes, its others) -> range
TOP = np.float32(127)  # the largest code

NOTHING = np.float32(0)
LEAST = np.float32(2.0**-120)  # of a block's range; below that TOP / range may be infinite, and x counts as 0


def own_range(job: int, block: int, low: Lanes, high: Lanes) -> np.float32:
    """The dynamic range of a block: its largest |x|."""
    peak: np.float32 = largest(larger(absolute(low), absolute(high)))
    return peak


def recorded_range(job: int, block: int, low: Lanes, high: Lanes) -> np.float32:
    """The static range of a block, whatever its x."""
    stored: np.float32 = load_float(load_word(job + RANGES) + 4 * block)
    return stored


def quantize_block(  # noqa: PLR0917 - a compiled function has no keywords
    low: Lanes,
    high: Lanes,
    peak: np.float32,
    codes: int,
    scale: int,
    zero_correction: int,
    total: int,
    minus_zero: np.float32,
) -> None:
    """Quantizes a block of 32 activations.

    Args:
        low: the first sixteen.
        high: the others.
        peak: the block's range: what the code 127 is worth; a larger |x| gets that code.
        codes: address of their 32 bytes.
        scale: address of their scale.
        zero_correction: address of their zero correction.
        total: address of their sum.
        minus_zero: the code of weight 0, negated.
    """
    inverse = floats_of(TOP / peak if peak > LEAST else NOTHING)
    first, second = rounded(_clipped(multiply(low, inverse))), rounded(_clipped(multiply(high, inverse)))
    store_as_bytes(codes, first)
    store_as_bytes(codes + 16, second)
    broken = add(subtract(low, low), subtract(high, high))  # NaN where x is NaN or infinite: the result must show it
    whole = sum_floats(add(add(first, second), broken))
    own_scale = peak / TOP + (whole - whole)
    store_float(scale, own_scale)
    store_float(zero_correction, own_scale * (whole * minus_zero))
    store_float(total, own_scale * whole)


def _clipped(x: Lanes) -> Lanes:
    """Lanes brought to -127 .. 127. They are clipped before they are rounded, which works for small numbers alone."""
    clipped: Lanes = smaller(larger(x, floats_of(-TOP)), floats_of(TOP))
    return clipped


@cache
def quantizer(zero: int, range_of: FindRange = own_range, *, exact_sums: bool = False) -> KernelFunction:
    """The kernel that quantizes activations `first` .. `last` of a job.

    Args:
        zero: the code of weight 0 in the matrix that they are multiplied by.
        range_of: finds a block's range.
        exact_sums: whether the sums are those of x before it was quantized, and not of the quantized x.
    """
    minus_zero = np.float32(-zero)

    def quantize(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        blocks = round_up(load_word(weights + COLS)) // BLOCK
        for row in range(first, last):
            x = load_word(job + X) + row * load_word(job + X_STRIDE)
            codes = load_word(job + CODES) + row * load_word(job + CODES_STRIDE)
            at = row * load_word(job + SCALES_STRIDE)
            scales, corrections, sums = (
                load_word(job + SCALES) + at,
                load_word(job + ZERO_CORRECTIONS) + at,
                load_word(job + SUMS) + at,
            )
            for block in range(blocks):
                low, high = load_floats(x + 128 * block), load_floats(x + 128 * block + 64)
                four, peak = 4 * block, range_of(job, block, low, high)
                quantize_block(
                    low, high, peak, codes + BLOCK * block, scales + four, corrections + four, sums + four, minus_zero
                )
                if exact_sums:
                    store_float(sums + four, sum_floats(add(low, high)))

    return quantize
