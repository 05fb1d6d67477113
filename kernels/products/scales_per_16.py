"""Activations for codes whose scales hold for 16 columns: two scales for each block of 32 activations.

An activation's scales (each twice), zero corrections and sums for 16 columns follow its codes, so a row of codes takes
twice as many bytes as it has columns.

::

    byte 0         wide       5/4 wide             6/4 wide    7/4 wide     2 wide
         | codes   | scales   | zero corrections   | sums      | unused     |
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
from fourcc.kernels.products.activations import FindRange, own_range, quantize_block, recorded_range
from fourcc.kernels.products.group_size import GroupSize
from fourcc.kernels.simd.arithmetic import sum_floats
from fourcc.kernels.simd.int8 import load_as_floats
from fourcc.kernels.simd.memory import load_float, load_floats, load_word, store_float


def scales_of(codes: int, wide: int) -> int:
    """The address of an activation's scales."""
    return codes + wide


def zero_corrections_of(codes: int, wide: int) -> int:
    """The address of its zero corrections."""
    return codes + wide + (wide >> 2)


def sums_of(codes: int, wide: int) -> int:
    """The address of its sums."""
    return codes + wide + (wide >> 1)


def _locate_scales(job: int, column: int, wide: int) -> tuple[int, int, int, int]:
    stride = load_word(job + CODES_STRIDE)
    codes = load_word(job + CODES) + column * stride
    return scales_of(codes, wide), zero_corrections_of(codes, wide), sums_of(codes, wide), stride


GROUPS_OF_16 = GroupSize(4, _locate_scales)


def _quantizer(zero: int, range_of: FindRange) -> KernelFunction:
    """The kernel that quantizes activations as `activations.quantizer` does, and adds the numbers for 16 columns."""
    minus_zero = np.float32(-zero)

    def quantize(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        wide = round_up(load_word(weights + COLS))
        for row in range(first, last):
            x = load_word(job + X) + row * load_word(job + X_STRIDE)
            codes = load_word(job + CODES) + row * load_word(job + CODES_STRIDE)
            at = row * load_word(job + SCALES_STRIDE)
            scales, corrections, sums = (
                load_word(job + SCALES),
                load_word(job + ZERO_CORRECTIONS),
                load_word(job + SUMS),
            )
            for block in range(wide // BLOCK):
                low, high = load_floats(x + 128 * block), load_floats(x + 128 * block + 64)
                here, four = codes + BLOCK * block, at + 4 * block
                peak = range_of(job, block, low, high)
                quantize_block(low, high, peak, here, scales + four, corrections + four, sums + four, minus_zero)
                scale = load_float(scales + four)
                for half in range(2):
                    place = 8 * block + 4 * half
                    store_float(scales_of(codes, wide) + place, scale)
                    whole = sum_floats(load_as_floats(here + 16 * half))
                    store_float(zero_corrections_of(codes, wide) + place, scale * (whole * minus_zero))
                    store_float(sums_of(codes, wide) + place, scale * whole)

    return quantize


@cache
def int8_activations(zero: int) -> Activation:
    """Activations quantized to bytes, for codes whose zero point is `zero`, with scales and sums for 16 columns."""
    name = f"int8 against {zero}, by sixteen"
    return Activation(name, _quantizer(zero, own_range), width=2, static=_quantizer(zero, recorded_range))
