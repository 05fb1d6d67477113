"""Activations on their way into a product: as they are, or as bytes with a scale for each 32.

Quantized as ggml's Q8_0: in a block of 32, s = max |x| / 127 and q = x / s rounded to the nearest, half to even; s
stays a float32. Beside them lie what products take from them once, instead of once a row: the offsets -zero * s * sum
q, with zero the code of weight 0, and the sums s * sum q. A minimum is multiplied by the latter, so that the error of
an activation counts as much as the whole weight, and not as its code. Only where a block's codes lie around their mean
is that less: there the sums are those of x as it came.
"""

from __future__ import annotations

from functools import cache

import numpy as np

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import (
    BLOCK,
    CODES,
    CODES_STRIDE,
    COLS,
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
    subtract,
    sum_floats,
)
from fourcc.kernels.simd.int8 import store_as_bytes
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import load_floats, load_word, store_float

TOP = np.float32(127)  # the largest code

NOTHING = np.float32(0)
LEAST = np.float32(2.0**-120)  # of a block's largest |x|; below that TOP / peak may be infinite, and x counts as 0


def quantize_block(low: Lanes, high: Lanes, codes: int, step: int, offset: int, total: int, zero: np.float32) -> None:
    """One block of 32: two vectors of floats to 32 bytes, and its three floats; all but the first two are addresses."""
    peak = largest(larger(absolute(low), absolute(high)))
    scale = floats_of(TOP / peak if peak > LEAST else NOTHING)
    first, second = rounded(multiply(low, scale)), rounded(multiply(high, scale))
    store_as_bytes(codes, first)
    store_as_bytes(codes + 16, second)
    broken = add(subtract(low, low), subtract(high, high))  # NaN where x is NaN or infinite: the result shall show it
    whole = sum_floats(add(add(first, second), broken))
    worth = peak / TOP + (whole - whole)
    store_float(step, worth)
    store_float(offset, worth * (whole * zero))
    store_float(total, worth * whole)


@cache
def quantizer(zero: int, *, around_means: bool = False) -> KernelFunction:
    """The kernel that quantizes activations `first` .. `last` of a job.

    Args:
        zero: the code of weight 0 in the matrix that they are multiplied by.
        around_means: whether its codes lie around the mean of their block: the sums are those of x then.
    """
    taken = np.float32(-zero)

    def quantize(weights: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
        blocks = round_up(load_word(weights + COLS)) // BLOCK
        for row in range(first, last):
            x = load_word(job + X) + row * load_word(job + X_STRIDE)
            codes = load_word(job + CODES) + row * load_word(job + CODES_STRIDE)
            at = row * load_word(job + SCALES_STRIDE)
            steps, offsets, sums = (
                load_word(job + SCALES) + at,
                load_word(job + ZERO_CORRECTIONS) + at,
                load_word(job + SUMS) + at,
            )
            for block in range(blocks):
                low, high = load_floats(x + 128 * block), load_floats(x + 128 * block + 64)
                four = 4 * block
                quantize_block(low, high, codes + BLOCK * block, steps + four, offsets + four, sums + four, taken)
                if around_means:
                    store_float(sums + four, sum_floats(add(low, high)))

    return quantize
