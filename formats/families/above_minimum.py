"""Formats whose offset is the minimum of the whole tensor: codes count up from its least weight.

::

    base    (1,) float32                    the offset: the least weight of the whole matrix
    scale   (1,) float32
    q       (rows, cols * bits / 8) uint8   8 bits: a code; 4 bits: the even column's in the high nibble

Decode: w = base + scale * q, in float32, product and sum rounded. Encode: with T the largest code,
scale = (max - min) / T and q = (w - min) / (max - min) * T, rounded half up; every operation in float32. Where an
importance is given, min and max become shares of themselves, so that the range may be narrower.
"""

from functools import partial

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Original, Parts, packed, per_matrix
from fourcc.formats.layouts.error_bounds import F32_LEAST, F32_ULP
from fourcc.formats.layouts.extremes import extremes
from fourcc.formats.searches.clipping import share_of_least_error

BLOCK = 32  # columns that are decoded together; no part has an entry for them


def above_minimum(tag: str, bits: int, foreign: str) -> Format:
    """A format of codes above the minimum of the tensor.

    Args:
        tag: the format's tag, also its name.
        bits: of a code, 8 or 4.
        foreign: its id in the forks of llama2.c.
    """
    return Format(
        tag=tag,
        summary=f"{bits}-bit codes, one float32 minimum and scale for the whole tensor",
        block=BLOCK,
        parts=(per_matrix("base", "f4", 1), per_matrix("scale", "f4", 1), packed("q", bits=bits, high_first=bits < 8)),
        foreign={"llama2.c": foreign},
        uses=frozenset({"importance"}),
        encode=partial(_encode, 2**bits - 1),
        prepare=partial(_prepare, 2**bits - 1),
        decode_block=decode_block,
        bound=partial(_bound, 2**bits - 1),
    )


def decode_block(base: Array, scale: Array, q: Array, weights: Array) -> None:
    """Decodes some columns."""
    weights[:] = base[0] + scale[0] * q


@np.errstate(over="ignore", invalid="ignore")  # an infinite extent decodes to NaN, which is refused as too large
def _prepare(top: int, original: Original) -> tuple[np.float32, np.float32]:
    """The offset and the extent: of the whole range, or of the share of it with the least weighted error."""
    low, high = extremes(original)

    def decoded(w: Floats, share: np.float32) -> Floats:
        offset, extent = _range(low, high, share)
        weights = np.empty_like(w)
        q = _nearest_codes(w, offset, extent, top)
        decode_block(np.array([offset]), np.array([extent / np.float32(top)]), q, weights)
        return weights

    return _range(low, high, share_of_least_error(original, decoded))


def _range(low: np.float32, high: np.float32, share: np.float32) -> tuple[np.float32, np.float32]:
    """The offset and the extent of a share of the range."""
    low, high = low * share, high * share
    return low + np.float32(0), high - low + np.float32(0)  # -0 becomes 0: of the two, min() gives either


def _encode(top: int, blocks: Blocks) -> Parts:
    """The offset, the scale, and codes 0 .. `top`."""
    offset, extent = blocks.shared
    q = _nearest_codes(blocks.w, offset, extent, top)
    return {"base": np.array([offset]), "scale": np.array([extent / np.float32(top)]), "q": q}


@np.errstate(over="ignore", invalid="ignore")  # an infinite extent
def _nearest_codes(w: Floats, offset: np.float32, extent: np.float32, top: int) -> Array:
    """The nearest codes 0 .. `top`, uint8 of the shape of w; 0 where all weights are equal."""
    unrounded = (w - offset) / (extent or np.float32(1))
    unrounded *= np.float32(top)
    rounded = np.floor(unrounded.astype(np.float64) + 0.5)  # in float64 the sum is exact
    return rounded.clip(0, top).astype(np.uint8)


def _bound(top: int, w: Array, geom: Geometry) -> Array:
    """Half a step, four roundings of the encoder and three of the decoder, relative to the extent, and that of w."""
    low, high = w.min(initial=np.inf), w.max(initial=-np.inf)
    relative = 1 / (2 * top) + 8 * F32_ULP
    return np.full(w.shape, (high - low) * relative + 2 * F32_ULP * max(high, -low) + 256 * F32_LEAST)
