"""NVF4, known as NVFP4: 4-bit floats with an 8-bit float for each 16 weights, in ggml's order.

::

    block of 64 weights along a row, 36 bytes, 4.5 bits per weight
    byte   0           4                                                     36
           s0 ... s3   b0 ...                                                b31
           u8, one     low nibble of bj: weight 16 (j // 8) + j % 8,
           for 16      high nibble: the weight 8 further

Decode: w = scale * LEVELS[q], in float32; a scale's byte is that of an E4M3 without its sign, 127 stands for 0. A
second scale for the whole matrix is no part of the block: `NV4T` has it.
"""

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Parts, packed, per_block, record
from fourcc.formats.layouts.e2m1 import LEVELS, MAGNITUDES, SIGN
from fourcc.formats.layouts.e4m3 import TABLE
from fourcc.formats.layouts.error_bounds import largest

BLOCK, SUB = 64, 16  # weights of a block, and those with one scale
SUBS = BLOCK // SUB
LARGEST, TOO_LARGE = 126, 15 << 3  # the code of the largest scale, 448; the first that ggml does not make but for it
LEAST_NORMAL = np.float32(2**-6)  # smaller scales are multiples of 2^-9
MANTISSA, EXPONENTS = 3, 127 - 7  # bits of a scale's mantissa; from the bias of float32 to that of a scale
SCALES = np.where(np.arange(256) % 128 == 127, np.float32(480), np.abs(TABLE))
SCALES[127] = 0
POSITIVE_LEVELS = LEVELS + np.float32(0)  # ggml's -0 is 0


def decode_block(scales: Array, q: Array, weights: Array) -> None:
    """Decodes one block."""
    for sub in range(SUBS):
        some = slice(SUB * sub, SUB * sub + SUB)
        weights[some] = SCALES[scales[sub]] * POSITIVE_LEVELS[q[some]]


def encode(blocks: Blocks) -> Parts:
    """Scales, and codes 0 .. 15."""
    w = blocks.w.reshape(-1, SUB)  # (4 blocks, 16)
    scales = scale_codes(np.abs(w).max(axis=1) / np.float32(6))
    q = _codes(w, SCALES[scales][:, None])
    return {"scales": scales.reshape(-1, SUBS), "q": q.reshape(-1, BLOCK)}


def scale_codes(x: Floats) -> Array:
    """The codes that ggml gives scales x, which are not negative, uint8 (n,); from 248 on that is the largest one."""
    bits = x.view(np.int32)
    normal = (bits >> 23 - MANTISSA) - (EXPONENTS << MANTISSA) + (bits >> 22 - MANTISSA & 1)  # a half goes up
    small = np.minimum(np.minimum(x, LEAST_NORMAL) * np.float32(512) + np.float32(0.5), 7).astype(np.uint8)
    return np.where(x < LEAST_NORMAL, small, np.where(normal < TOO_LARGE, normal, LARGEST)).astype(np.uint8)


def _codes(w: Floats, scale: Floats) -> Array:
    """The codes of the levels nearest to w, uint8 of the shape of w; ties, also after rounding, go to the first."""
    magnitude = np.abs(w)
    codes, best = np.zeros(w.shape, np.uint8), magnitude.copy()
    for code in range(1, SIGN):
        error = np.abs(MAGNITUDES[code] * scale - magnitude)
        nearer = error < best
        codes[nearer], best = code, np.minimum(error, best)
    codes[(w < 0) & (codes > 0)] += SIGN
    return codes


def bound(w: Array, geom: Geometry) -> Array:
    """Half the widest gap between levels; the page says how far off a scale may be."""
    peak = largest(w, 1, SUB)
    return np.where(peak < 6 * 248, peak * (17 / 96) + 2**-7, 448 + np.maximum(np.abs(w) - 6 * 448, 0))


NVF4 = Format(
    tag="NVF4",
    name="NVFP4",
    summary="4-bit floats (E2M1) in blocks of 64, an 8-bit float scale for each 16",
    block=BLOCK,
    parts=(record("blocks", per_block("scales", "u1", SUBS), packed("q", bits=4, run=8)),),
    foreign={"ggml": 40},
    encode=encode,
    decode_block=decode_block,
    bound=bound,
)
