"""Q8_T: 8-bit codes with one float32 scale for the whole tensor.

::

    scale   (1,) float32           of the whole matrix
    q       (rows, cols) int8      -127 .. 127

Decode: w = scale * q, in float32. Encode: as for Q8_G, with the largest |w| of the matrix; where an
importance is given, with a share of it.
"""

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Original, Parts, per_matrix, per_weight
from fourcc.formats.layouts.error_bounds import F32_LEAST, F32_ULP
from fourcc.formats.layouts.extremes import extremes
from fourcc.formats.q8_g import finite_scale, nearest_codes
from fourcc.formats.searches.clipping import share_of_least_error

BLOCK = 32  # columns that are decoded together; no part has an entry for them


def decode_block(scale: Array, q: Array, weights: Array) -> None:
    """Decodes some columns."""
    weights[:] = scale[0] * q


def prepare(original: Original) -> Floats:
    """The scale, (1,): of the largest |w|, or of the share of it with the least weighted error."""
    peak = np.array([max(map(abs, extremes(original)))], np.float32)

    def decoded(w: Floats, share: np.float32) -> Floats:
        scale = finite_scale(peak * share)
        return scale * nearest_codes(w, scale).astype(np.float32)

    return finite_scale(peak * share_of_least_error(original, decoded))


def encode(blocks: Blocks) -> Parts:
    """The scale, and codes -127 .. 127."""
    return {"scale": blocks.shared, "q": nearest_codes(blocks.w, blocks.shared)}


def bound(w: Array, geom: Geometry) -> Array:
    """The bound of Q8_G with the largest |w| of the matrix."""
    return np.full(w.shape, np.abs(w).max(initial=0) * (1 / 254 + 4 * F32_ULP) + 64 * F32_LEAST)


Q8_T = Format(
    tag="Q8_T",
    summary="8-bit codes, one float32 scale for the whole tensor",
    block=BLOCK,
    parts=(per_matrix("scale", "f4", 1), per_weight("q", "i1")),
    uses=frozenset({"importance"}),
    foreign={"llama2.c": "int8 tensor"},
    encode=encode,
    prepare=prepare,
    decode_block=decode_block,
    bound=bound,
)
