"""Formats whose offset is the minimum of the whole tensor: codes count up from its least weight.

::

    base    (1,) float32                    the offset: the least weight of the whole matrix
    scale   (1,) float32
    q       (rows, cols * bits / 8) uint8   8 bits: a code; 4 bits: the even column's in the high nibble

Decode: w = base + scale * q, in float32, product and sum rounded. Encode: with T the largest code,
scale = (max - min) / T and q = (w - min) / (max - min) * T, rounded half up; every operation in float32.
"""

from functools import partial

import numpy as np

from fourcc.format import Array, Blocks, Floats, Format, Original, Parts
from fourcc.formats.layouts.error_bounds import F32_LEAST, F32_ULP
from fourcc.formats.layouts.extremes import extremes
from fourcc.geometry import Geometry
from fourcc.nibbles import high_first, pack_high_first
from fourcc.part import Part

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
        name=tag,
        summary=f"{bits}-bit codes, one float32 minimum and scale for the whole tensor",
        block=(1, BLOCK),
        parts=(
            Part("base", "<f4", tail=lambda geom: (1,), rows=None),  # noqa: ARG005 - the seam's signature
            Part("scale", "<f4", tail=lambda geom: (1,), rows=None),  # noqa: ARG005 - the seam's signature
            Part("q", "|u1", tail=lambda geom: (-(-geom.cols * bits // 8),)),
        ),
        short_block=True,
        foreign={"llama2.c": foreign},
        decode=partial(_decode, bits),
        encode=partial(_encode, bits),
        prepare=prepare,
        codes=partial(_codes, bits),
        decode_block=_decode_bytes if bits == 8 else _decode_nibbles,
        bound=partial(_bound, bits),
    )


def _codes(bits: int, parts: Parts, geom: Geometry) -> Array:
    """The stored integers, uint8 (rows, cols)."""
    return parts["q"] if bits == 8 else high_first(parts["q"], geom.cols)


@np.errstate(over="ignore", invalid="ignore")  # a foreign file may hold any scale
def _decode(bits: int, parts: Parts, geom: Geometry) -> Floats:
    """Codes -> float32 (rows, cols)."""
    w = _codes(bits, parts, geom).astype(np.float32)
    w *= parts["scale"]
    w += parts["base"]
    return w


@np.errstate(over="ignore")  # an infinite extent decodes to NaN, which the core refuses as too large
def prepare(original: Original) -> tuple[np.float32, np.float32]:
    """The offset, which is the least weight, and the extent."""
    rows, geom = original.rows, original.geom
    low, high = extremes(rows, geom)
    return low + np.float32(0), high - low + np.float32(0)  # -0 becomes 0: of the two, min() gives either


def _encode(bits: int, blocks: Blocks) -> Parts:
    """float32 (rows, cols) -> codes."""
    tile, shared = blocks.rows, blocks.shared
    offset, extent = np.asarray(shared, np.float32)
    top = 2**bits - 1
    q = _nearest_codes(tile, offset, extent, top)
    scale = np.array([extent / np.float32(top)], np.float32)
    return {"base": np.array([offset]), "scale": scale, "q": q if bits == 8 else pack_high_first(q)}


@np.errstate(over="ignore", invalid="ignore")  # an infinite extent
def _nearest_codes(w: Floats, offset: np.float32, extent: np.float32, top: int) -> Array:
    """The nearest codes, uint8 of the shape of w; 0 where all weights are equal."""
    unrounded = (w - offset) / (extent or np.float32(1))
    unrounded *= np.float32(top)
    return np.floor(unrounded.astype(np.float64) + 0.5).astype(np.uint8)  # in float64 the sum is exact


def _bound(bits: int, w: Array, geom: Geometry) -> Array:
    """Half a step, four roundings of the encoder and three of the decoder, relative to the extent, and that of w."""
    low, high = w.min(initial=np.inf), w.max(initial=-np.inf)
    relative = 1 / (2 * (2**bits - 1)) + 8 * F32_ULP
    return np.full(w.shape, (high - low) * relative + 2 * F32_ULP * max(high, -low) + 256 * F32_LEAST)


def _decode_bytes(base: Array, scale: Array, q: Array, weights: Array) -> None:
    for index in range(BLOCK):
        weights[index] = base[0] + scale[0] * q[index]


def _decode_nibbles(base: Array, scale: Array, q: Array, weights: Array) -> None:
    for index in range(BLOCK // 2):
        weights[2 * index] = base[0] + scale[0] * (q[index] >> 4)
        weights[2 * index + 1] = base[0] + scale[0] * (q[index] & 15)
