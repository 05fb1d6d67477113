"""NV4T: NVFP4 with its second scale: 4-bit floats, an 8-bit float for each 16 weights, a float32 for the matrix.

::

    second   (2,) float32                      of the whole matrix: a factor, and a divisor
    scales   (rows, cols / 16) uint8           E4M3, as in `F8E4`
    q        (rows, cols / 2) uint8            low nibble: code of the even column; high nibble: of the odd one

Decode: w = (E4M3[scale] * factor / divisor) * LEVELS[q], in float32. The bytes are those of safetensors files: those of
ModelOpt have a factor (and divisor 1), those of compressed-tensors a divisor (and factor 1).
"""

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Original, Parts, packed, per_block, per_matrix
from fourcc.formats.layouts.e2m1 import LARGEST, LEVELS, nearest_even
from fourcc.formats.layouts.e4m3 import TABLE
from fourcc.formats.layouts.error_bounds import largest
from fourcc.formats.layouts.extremes import extremes

BLOCK = 16
LARGEST_SCALE = np.float32(448)
NOTHING = 2.0**-116  # where no weight is larger than this, all may become 0: the divisor would be infinite
STEPS = TABLE[:127]  # the scales that are not negative, ascending
FOR_ZERO = np.uint8(0x20)  # the code of 1/8, which takes the place of a scale that rounds to 0


def decode_block(second: Array, scales: Array, q: Array, weights: Array) -> None:
    """Decodes one block."""
    weights[:] = TABLE[scales] * second[0] / second[1] * LEVELS[q]


def prepare(original: Original) -> Floats:
    """Factor and divisor, (2,): with them the largest weight has the largest scale and the largest level."""
    peak = max(np.float32(max(map(abs, extremes(original)))), np.finfo(np.float32).tiny)
    with np.errstate(over="ignore"):
        divisor = np.float32(1) / peak * (LARGEST_SCALE * LARGEST)  # two roundings, as in compressed-tensors
    return np.array([1, divisor if np.isfinite(divisor) else 1], np.float32)


def encode(blocks: Blocks) -> Parts:
    """Factor and divisor, scales, and codes 0 .. 15."""
    divisor = blocks.shared[1]
    scales = nearest_scales(divisor * (np.abs(blocks.w).max(axis=1) / LARGEST))  # (blocks,)
    q = nearest_even(blocks.w / (TABLE[scales] / divisor)[:, None])
    return {"second": blocks.shared, "scales": scales, "q": q}


def nearest_scales(x: Floats) -> Array:
    """The codes of the nearest scales, uint8 (n,); ties go to even codes, and 1/8 takes the place of 0."""
    above = np.searchsorted(STEPS, x).clip(1, len(STEPS) - 1)  # the first scale that is not below x
    low, high = STEPS[above - 1].astype(np.float64), STEPS[above].astype(np.float64)
    up = (x - low > high - x) | ((x - low == high - x) & (above % 2 == 0))
    codes = (above - 1 + up).astype(np.uint8)
    return np.where(codes == 0, FOR_ZERO, codes)


def bound(w: Array, geom: Geometry) -> Array:
    """Half the widest gap between levels; the page says how far off a scale may be."""
    peak = np.abs(w).max(initial=0)
    relative: Array = largest(w, 1, BLOCK) * (17 / 96 + 2**-16)
    return relative + float(peak) * 2.0**-13 + NOTHING


NV4T = Format(
    tag="NV4T",
    name="NVFP4_T",
    summary="4-bit floats (E2M1), an 8-bit float scale for each 16, float32 scale for the whole tensor",
    block=BLOCK,
    parts=(per_matrix("second", "f4", 2), per_block("scales", "u1"), packed("q", bits=4)),
    short_block=False,
    foreign={"modelopt": "NVFP4", "compressed-tensors": "nvfp4-pack-quantized"},
    encode=encode,
    prepare=prepare,
    decode_block=decode_block,
    bound=bound,
)
