"""MXFP4: blocks of 32 codes of 4 bits, a byte that is the exponent of their scale; a code names a level of E2M1.

Levels are doubled, so that they are whole numbers and are multiplied as codes of Q8_0 are.
"""

from __future__ import annotations

from fourcc.kernels.interleaved import interleaved
from fourcc.kernels.interleaving import WORD, Block
from fourcc.kernels.levels import level_codes
from fourcc.kernels.simd.arithmetic import add, ints_of, multiply, shifted_right, subtract
from fourcc.kernels.simd.choosing import load_bytes_as_ints, shifted_left
from fourcc.kernels.simd.memory import load_floats, store
from fourcc.kernels.simd.twins import Lanes
from fourcc.kernels.simd.words import byte_table

LEVELS = (0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12)
HALF_BIAS = 63  # two factors 2^(a - 64), a + b = e, are 2^(e - 128); float32 has 127 more in its exponent
MANTISSA = 23  # bits


def _numbers(p: int, scales: int, means: int) -> None:  # noqa: ARG001 - there are none
    """2^(e - 128) for every e, denormal for the first two: the product of two ordinary powers."""
    e = load_bytes_as_ints(p + 4 * WORD)
    half = shifted_right(e, 1)
    store(scales, _power(half))
    first = load_floats(scales)
    store(scales, _power(subtract(e, half)))
    store(scales, multiply(first, load_floats(scales)))


def _power(exponent: Lanes) -> Lanes:
    """The bits of 2^(exponent - 64), of 0 .. 128."""
    made: Lanes = shifted_left(add(exponent, ints_of(HALF_BIAS)), MANTISSA)
    return made


KERNEL = interleaved(Block(32, 17, _numbers, level_codes(byte_table(LEVELS)), half=0, rest=1))
