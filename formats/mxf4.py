"""MXF4, known as MXFP4: 4-bit floats with a power of two for each 32 weights, in ggml's order.

::

    block of 32 weights along a row, 17 bytes, 4.25 bits per weight
    byte   0   1                                            17
           e   b0 b1 ...                                    b15
           u8  low nibble of bj: weight j, high nibble: weight j + 16

Decode: w = 2^(e - 128) * LEVELS[q], in float32. The levels are twice the values of E2M1 (sign, two bits of exponent,
one of mantissa), so that they are integers; -0 is 0. Where an importance is given, neighbouring exponents are tried.
"""

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Parts, packed, per_block, record
from fourcc.formats.layouts.error_bounds import largest
from fourcc.formats.searches.columns import as_groups
from fourcc.formats.searches.least_error import least_error, weighted_error

BLOCK = 32
MAX_EXPONENT = 252  # the largest exponent whose levels are all finite
BIAS = 128  # of the exponent; 1 more than usual, since the levels are doubled
STEPS = (0, -1, 1, -2)  # from the exponent of the largest magnitude to those that are tried with an importance
LEVELS = np.array([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12], np.float32)
BORDERS = np.array([0.5, 1.5, 2.5, 3.5, 5, 7, 10], np.float32)  # half-way between two levels
POWERS = np.ldexp(np.float32(1), np.arange(256) - BIAS).astype(np.float32)  # the first two are denormal


def decode_block(e: Array, q: Array, weights: Array) -> None:
    """Decodes one block."""
    weights[:] = POWERS[e] * LEVELS[q]


def encode(blocks: Blocks) -> Parts:
    """Exponents, and codes 0 .. 15."""
    e = exponents(np.abs(blocks.w).max(axis=1))  # (blocks,)
    if blocks.importance is not None:
        e = _exponent_of_least_error(as_groups(blocks.w, BLOCK), as_groups(blocks.importance, BLOCK), e)
    return {"e": e, "q": _codes(blocks.w, POWERS[e][:, None])}


def _exponent_of_least_error(x: Floats, importance: Floats, e: Array) -> Array:
    """The best of the exponent of the largest magnitude and of its neighbours, uint8 (blocks,); x is (32, blocks)."""
    candidates = [np.clip(e.astype(np.int16) + step, 0, MAX_EXPONENT).astype(np.uint8) for step in STEPS]
    return least_error(candidates, lambda e: weighted_error(x, POWERS[e] * LEVELS[_codes(x, POWERS[e])], importance))


def _codes(w: Floats, scale: Floats) -> Array:
    """The codes of the levels nearest to w / scale, uint8 of the shape of w."""
    magnitude = np.abs(w)
    codes = np.zeros(w.shape, np.uint8)
    for border in BORDERS:
        codes += magnitude > border * scale  # exact products
    codes[(w < 0) & (codes > 0)] += 8
    return codes


def exponents(peak: Floats) -> Array:
    """The stored exponents for the blocks' largest magnitudes, uint8 (n,).

    The logarithm is rounded to float32 before it is truncated, as in C: a magnitude just below a power of two may count
    as that power. It is computed in float64 first, so that no library's last digit matters.
    """
    whole = np.floor(np.log2(np.where(peak > 0, peak, 1).astype(np.float64)).astype(np.float32))
    return np.where(peak > 0, np.clip(whole - 2 + 127, 0, MAX_EXPONENT), 0).astype(np.uint8)


def bound(w: Array, geom: Geometry) -> Array:
    """A quarter of the largest weight: half the widest gap, or what lies beyond the largest level."""
    return largest(w, 1, BLOCK) * (1 / 4 + 2**-16) + 2.0**-129


MXF4 = Format(
    tag="MXF4",
    name="MXFP4",
    summary="4-bit floats (E2M1) in blocks of 32 with a power-of-two scale",
    block=BLOCK,
    parts=(record("blocks", per_block("e", "u1"), packed("q", bits=4, run=16)),),
    uses=frozenset({"importance"}),
    foreign={"ggml": 39},
    encode=encode,
    decode_block=decode_block,
    kernel="fourcc.kernels.mxf4:KERNEL",
    bound=bound,
)
