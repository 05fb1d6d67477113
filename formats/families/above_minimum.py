"""What the formats share whose codes count steps from the least weight of the whole tensor.

::

    base    (1,) float32                    the least weight of the whole matrix
    scale   (1,) float32
    q       (rows, cols * bits / 8) uint8   8 bits: a code; 4 bits: the even column's in the high nibble

Decode: w = base + scale * q, in float32, product and sum rounded. Encode: with T the largest code,
scale = (max - min) / T and q = (w - min) / (max - min) * T, rounded half up; every operation in float32.
"""

from functools import partial

import numpy as np

from fourcc.format import Aids, Array, Floats, Format, Parts, RowReader
from fourcc.formats.layouts.bounds import F32_LEAST, F32_ULP
from fourcc.formats.layouts.extremes import extremes
from fourcc.nibbles import high_first, pack_high_first
from fourcc.spec import FormatSpec, Geometry, Params, Part

BLOCK = 32  # columns that are decoded together; nothing is stored for them


def minimum(tag: str, bits: int, foreign: str) -> Format:
    """A format of codes above a minimum.

    Args:
        tag: the format's tag, also its name.
        bits: of a code, 8 or 4.
        foreign: the id in the forks of llama2.c.
    """
    spec = FormatSpec(
        tag=tag,
        name=tag,
        summary=f"{bits}-bit codes, one float32 minimum and scale for the whole tensor",
        block=(1, BLOCK),
        parts=(
            Part("base", "<f4", tail=lambda geom: (1,), rows=None),  # noqa: ARG005 - the seam's signature
            Part("scale", "<f4", tail=lambda geom: (1,), rows=None),  # noqa: ARG005
            Part("q", "|u1", tail=lambda geom: (-(-geom.cols * bits // 8),)),
        ),
        short_block=True,
        foreign={"llama2.c": foreign},
    )
    return Format(
        spec=spec,
        decode=partial(_decode, bits),
        encode=partial(_encode, bits),
        prepare=prepare,
        codes=partial(_codes, bits),
        decode_block=_of_bytes if bits == 8 else _of_nibbles,
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


@np.errstate(over="ignore")  # an infinite extent decodes to NaN, and is refused as too large
def prepare(rows: RowReader, geom: Geometry, options: Params, aids: Aids) -> tuple[np.float32, np.float32]:  # noqa: ARG001
    """The least weight, and the extent."""
    low, high = extremes(rows, geom)
    return low + np.float32(0), high - low + np.float32(0)  # which of two zeros the least is, nobody shall ask


def _encode(bits: int, tile: Floats, shared: object, geom: Geometry, options: Params, aids: Aids) -> Parts:  # noqa: ARG001
    """float32 (rows, cols) -> codes."""
    low, extent = np.asarray(shared, np.float32)
    top = 2**bits - 1
    q = _nearest_codes(tile, low, extent, top)
    scale = np.array([extent / np.float32(top)], np.float32)
    return {"base": np.array([low]), "scale": scale, "q": q if bits == 8 else pack_high_first(q)}


@np.errstate(over="ignore", invalid="ignore")  # an infinite extent
def _nearest_codes(w: Floats, low: np.float32, extent: np.float32, top: int) -> Array:
    """The nearest codes, uint8 of the shape of w; 0 where all weights are equal."""
    steps = (w - low) / (extent or np.float32(1))
    steps *= np.float32(top)
    return np.floor(steps.astype(np.float64) + 0.5).astype(np.uint8)  # in float64, where the sum is exact


def _bound(bits: int, w: Array, geom: Geometry) -> Array:  # noqa: ARG001 - the seam's signature
    """Half a step; four roundings on the way to the code, three back, each of all codes; that of w itself."""
    low, high = w.min(initial=np.inf), w.max(initial=-np.inf)
    relative = 1 / (2 * (2**bits - 1)) + 8 * F32_ULP
    return np.full(w.shape, (high - low) * relative + 2 * F32_ULP * max(high, -low) + 256 * F32_LEAST)


def _of_bytes(base: Array, scale: Array, q: Array, weights: Array) -> None:
    for index in range(BLOCK):
        weights[index] = base[0] + scale[0] * q[index]


def _of_nibbles(base: Array, scale: Array, q: Array, weights: Array) -> None:
    for index in range(BLOCK // 2):
        weights[2 * index] = base[0] + scale[0] * (q[index] >> 4)
        weights[2 * index + 1] = base[0] + scale[0] * (q[index] & 15)
