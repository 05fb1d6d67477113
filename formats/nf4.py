"""NF4: sixteen quantiles of the normal distribution, a float32 scale for each 64 weights of a row.

::

    scales   (rows, ceil(cols / 64)) float32   the largest |w| of the block
    q        (rows, ceil(cols / 2)) uint8      high nibble: code of the even column; low nibble: of the odd one

Decode: w = scale * LEVELS[code], in float32. The last block of a row may be short. Where 64 divides the columns, the
bytes are those of bitsandbytes. Where an importance is given, the scale is searched for.
"""

from collections.abc import Iterator

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Parts, packed, per_block
from fourcc.formats.layouts.error_bounds import F32_LEAST, largest
from fourcc.formats.searches.columns import as_groups
from fourcc.formats.searches.least_error import fitted_scale, least_error, weighted_error

BLOCK = 64
BELOW = (-1, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453)
BELOW_ZERO = (-0.28444138169288635, -0.18477343022823334, -0.09105003625154495)
ABOVE_ZERO = (0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224)
ABOVE = (0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1)
LEVELS = np.array([*BELOW, *BELOW_ZERO, 0, *ABOVE_ZERO, *ABOVE], np.float32)
BORDERS = ((LEVELS[1:].astype(np.float64) + LEVELS[:-1]) / 2).astype(np.float32)

SHARES = [1 - number / 32 for number in range(15)]  # of the largest magnitude, tried as scales


def decode_block(scales: Array, q: Array, weights: Array) -> None:
    """Decodes one block."""
    weights[:] = scales * LEVELS[q]


def encode(blocks: Blocks) -> Parts:
    """Scales, and codes 0 .. 15."""
    scale = np.abs(blocks.w).max(axis=1)  # (blocks,)
    if blocks.importance is not None:
        size = blocks.w.shape[1]
        scale = _scale_of_least_error(as_groups(blocks.w, size), as_groups(blocks.importance, size), scale)
    return {"scales": scale, "q": _codes(blocks.w, scale[:, None])}


def _scale_of_least_error(x: Floats, importance: Floats, largest: Floats) -> Floats:
    """The best of the largest magnitude and of the scales that fit the codes of shares of it; x is (n, blocks)."""

    def candidates() -> Iterator[Floats]:
        yield largest
        for share in SHARES:
            scale = np.float32(share) * largest
            yield fitted_scale(x, LEVELS[_codes(x, scale)], importance, scale)

    return least_error(candidates(), lambda scale: weighted_error(x, scale * LEVELS[_codes(x, scale)], importance))


def _codes(w: Floats, scale: Floats) -> Array:
    """The codes of the levels nearest to w / scale, uint8 of the shape of w; those of 0 where the scale is 0."""
    return nearest_level(np.divide(w, scale, out=np.zeros_like(w), where=scale > 0))


def nearest_level(share: Floats) -> Array:
    """The code of the nearest level, uint8 of the same shape; ties go to the lower level."""
    codes = np.zeros(share.shape, np.uint8)
    for border in BORDERS:
        codes += share > border
    return codes


def bound(w: Array, geom: Geometry) -> Array:
    """Half the widest gap between two levels, which is the lowest gap."""
    return largest(w, 1, BLOCK) * ((1 + BELOW[1]) / 2 + 2**-20) + F32_LEAST


NF4 = Format(
    tag="NF4",
    summary="4-bit codebook of normal quantiles in blocks of 64",
    block=BLOCK,
    parts=(per_block("scales", "f4"), packed("q", bits=4, high_first=True)),
    uses=frozenset({"importance"}),
    foreign={"bitsandbytes": "nf4"},
    encode=encode,
    decode_block=decode_block,
    bound=bound,
)
