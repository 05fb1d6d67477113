"""Codes whose scales hold for 16 columns, two for each block of an activation.

Beside an activation's codes lie its steps (each twice), offsets and sums for 16 columns each: a row of codes is twice
as wide as its columns.

::

    byte 0         wide       5/4 wide     6/4 wide    7/4 wide     2 wide
         | codes   | steps    | offsets    | sums      | nothing    |
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
from fourcc.kernels.kernel import Activation
from fourcc.kernels.products.activations import quantize_block
from fourcc.kernels.products.panel_gemm import Reach
from fourcc.kernels.simd.arithmetic import sum_floats
from fourcc.kernels.simd.int8 import load_as_floats
from fourcc.kernels.simd.memory import load_float, load_floats, load_word, store_float


def steps_of(codes: int, wide: int) -> int:
    """Where the steps of an activation begin."""
    return codes + wide


def offsets_of(codes: int, wide: int) -> int:
    """Where its offsets begin."""
    return codes + wide + (wide >> 2)


def sums_of(codes: int, wide: int) -> int:
    """Where its sums begin."""
    return codes + wide + (wide >> 1)


def _numbers(job: int, column: int, wide: int) -> tuple[int, int, int, int]:
    step = load_word(job + CODES_STRIDE)
    codes = load_word(job + CODES) + column * step
    return steps_of(codes, wide), offsets_of(codes, wide), sums_of(codes, wide), step


SIXTEEN = Reach(4, _numbers)


def _quantizer(zero: int) -> KernelFunction:
    """The kernel that quantizes activations, as `activation.quantizer` does, and adds what each half of a block has."""
    taken = np.float32(-zero)

    def quantize(weights: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
        wide = round_up(load_word(weights + COLS))
        for row in range(first, last):
            x = load_word(job + X) + row * load_word(job + X_STRIDE)
            codes = load_word(job + CODES) + row * load_word(job + CODES_STRIDE)
            at = row * load_word(job + SCALES_STRIDE)
            steps, offsets, sums = load_word(job + SCALES), load_word(job + ZERO_CORRECTIONS), load_word(job + SUMS)
            for block in range(wide // BLOCK):
                low, high = load_floats(x + 128 * block), load_floats(x + 128 * block + 64)
                here, four = codes + BLOCK * block, at + 4 * block
                quantize_block(low, high, here, steps + four, offsets + four, sums + four, taken)
                step = load_float(steps + four)
                for half in range(2):
                    place = 8 * block + 4 * half
                    store_float(steps_of(codes, wide) + place, step)
                    whole = sum_floats(load_as_floats(here + 16 * half))
                    store_float(offsets_of(codes, wide) + place, step * (whole * taken))
                    store_float(sums_of(codes, wide) + place, step * whole)

    return quantize


@cache
def quantized(zero: int) -> Activation:
    """Activations for codes whose zero point is `zero`, with numbers for 16 columns."""
    return Activation(f"int8 against {zero}, by sixteen", _quantizer(zero), width=2)
