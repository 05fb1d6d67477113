"""Formats with a scale and a zero point for each group, as in GPTQ, AWQ and compressed-tensors.

::

    scales   (rows, groups) float32
    zeros    (rows, groups) uint8             the code that stands for 0
    groups   (cols,) uint32                   only where the format is indexed: the group of each column
    q        (rows, cols * bits / 8) uint8    8 bits: a code; 4 bits: the even column's in the low nibble

Decode: w = scale * (q - zero), in float32. A group is `group` neighbouring columns, or the columns that the index
assigns to it. Encode: with low = min(min w, 0), high = max(max w, 0) and T the largest code, scale = (high - low) / T
rounded to float32, zero = -low / scale and q = w / scale + zero, rounded half to even, clamped to 0 .. T, in float64.
"""

from functools import partial

import attrs
import numpy as np

from fourcc.format import Array, Blocks, Floats, Format, Parts
from fourcc.formats.layouts.error_bounds import F32_LEAST, F32_ULP, over_blocks
from fourcc.formats.layouts.group_param import PARAM, count, group_of, group_setting, spread
from fourcc.formats.layouts.row_blocks import row_blocks
from fourcc.geometry import Geometry
from fourcc.nibbles import low_first, pack_low_first
from fourcc.part import Part

GROUP = 128


def affine(tag: str, bits: int, foreign: str, *, indexed: bool = False) -> Format:
    """A format with a scale and a zero point for each group.

    Args:
        tag: the format's tag, also its name.
        bits: of a code, 8 or 4.
        foreign: its id among the layouts of weight-only checkpoints.
        indexed: whether an index assigns columns to groups; such a format is only read, and has no encoder.
    """
    per_group = Part("scales", "<f4", tail=_groups), Part("zeros", "|u1", tail=_groups)
    index = (Part("groups", "<u4", tail=lambda geom: (geom.cols,), rows=None),) if indexed else ()
    read_only = Format(
        tag=tag,
        name=tag,
        summary=f"{bits}-bit codes, float32 scale and zero point for a group of "
        + ("columns that an index names" if indexed else "any size along a row"),
        block=(1, None if indexed else PARAM),
        parts=(*per_group, *index, Part("q", "|u1", tail=lambda geom: (-(-geom.cols * bits // 8),))),
        params=(group_setting(GROUP),),
        short_block=True,
        foreign={"weight-only": foreign},
        decode=partial(_decode, bits),
        codes=partial(_codes, bits),
    )
    if indexed:
        return read_only
    return attrs.evolve(
        read_only,
        encode=partial(_encode, bits),
        decode_block=_decode_bytes if bits == 8 else _decode_nibbles,
        bound=partial(_bound, bits),
    )


def _groups(geom: Geometry) -> tuple[int]:
    return (count(geom.cols, group_of(geom, GROUP)),)


def _codes(bits: int, parts: Parts, geom: Geometry) -> Array:
    """The stored integers, uint8 (rows, cols)."""
    return parts["q"] if bits == 8 else low_first(parts["q"], geom.cols)


@np.errstate(over="ignore", invalid="ignore")  # a foreign file may hold any scale
def _decode(bits: int, parts: Parts, geom: Geometry) -> Floats:
    """Scales and zeros (rows, groups), codes -> float32 (rows, cols)."""
    w = _codes(bits, parts, geom).astype(np.float32)
    if "groups" in parts:
        index = np.minimum(parts["groups"], _groups(geom)[0] - 1)  # (cols,); a damaged file may name any group
        w -= parts["zeros"][:, index]
        w *= parts["scales"][:, index]
    else:
        w -= spread(parts["zeros"], group_of(geom, GROUP), geom.cols)
        w *= spread(parts["scales"], group_of(geom, GROUP), geom.cols)
    return w


def _encode(bits: int, blocks: Blocks) -> Parts:
    """float32 (rows, cols) -> scales, zeros and codes."""
    tile, geom = blocks.rows, blocks.geom
    scales, zeros = (np.empty((geom.rows, *_groups(geom)), dtype) for dtype in (np.float32, np.uint8))
    q, top = np.empty((geom.rows, geom.cols), np.uint8), 2**bits - 1
    for run in row_blocks(geom.cols, group_of(geom, GROUP)):
        w = tile[:, run.columns].reshape(geom.rows, run.count, run.width).astype(np.float64)  # (rows, groups, group)
        low, high = w.min(axis=2).clip(max=0), w.max(axis=2).clip(min=0)
        scale = ((high - low) / top).astype(np.float32)  # (rows, groups)
        divisor = np.where(scale == 0, np.inf, scale.astype(np.float64))
        zero = np.rint(-low / divisor).clip(0, top)
        codes = np.rint(w / divisor[..., None] + zero[..., None]).clip(0, top)
        scales[:, run.blocks], zeros[:, run.blocks] = scale, zero
        q[:, run.columns] = codes.reshape(geom.rows, run.count * run.width)
    return {"scales": scales, "zeros": zeros, "q": q if bits == 8 else pack_low_first(q)}


def _bound(bits: int, w: Array, geom: Geometry) -> Array:
    """Half a step of the group's extent, which includes 0, for clamped codes too; and the roundings to float32."""
    width = min(group_of(geom, GROUP), max(1, geom.cols))
    high = over_blocks(np.maximum(w, 0), 1, width, np.maximum)
    low = over_blocks(np.minimum(w, 0), 1, width, np.minimum)
    relative: float = 1 / (2 * (2**bits - 1)) + 4 * F32_ULP
    return np.add((high - low) * relative, 256 * F32_LEAST)


def _decode_bytes(scales: Array, zeros: Array, q: Array, weights: Array, group: int) -> None:
    for index in range(group):
        weights[index] = scales[0] * (q[index] - zeros[0])


def _decode_nibbles(scales: Array, zeros: Array, q: Array, weights: Array, group: int) -> None:
    for index in range(group):
        code = q[index // 2] >> 4 * (index % 2) & 15
        weights[index] = scales[0] * (code - zeros[0])
