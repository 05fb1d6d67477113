"""Formats with a scale and a zero point for each group, as in GPTQ, AWQ and compressed-tensors.

::

    scales   (rows, groups) float32
    zeros    (rows, groups) uint8             the code that stands for 0
    groups   (cols,) uint32                   only where the format is indexed: the group of each column
    q        (rows, cols * bits / 8) uint8    8 bits: a code; 4 bits: the even column's in the low nibble

Decode: w = scale * (q - zero), in float32. A group is `group` neighbouring columns, or the columns that the index
assigns to it. Encode: with low = min(min w, 0), high = max(max w, 0) and T the largest code, scale = (high - low) / T
rounded to float32, zero = -low / scale and q = w / scale + zero, rounded half to even, clamped to 0 .. T, in float64.
With 4 bits, scale and zero are searched for where an importance is given, or where `method` is ``hqq``.
"""

from functools import partial

import attrs
import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Parts, Setting, packed, per_block, per_column
from fourcc.formats.layouts.error_bounds import F32_LEAST, F32_ULP, over_blocks
from fourcc.formats.layouts.groups import group_setting
from fourcc.formats.searches.columns import as_groups
from fourcc.formats.searches.zero_point_search import (
    codes,
    extent_settings,
    half_quadratic_settings,
    weighted_settings,
)

GROUP = group_setting(128)
METHOD = Setting("method", "extent", "scales of the whole extent, or of half-quadratic splitting", ("extent", "hqq"))


def affine(tag: str, bits: int, foreign: str) -> Format:
    """A format with a scale and a zero point for each group.

    Args:
        tag: the format's tag, also its name.
        bits: of a code, 8 or 4.
        foreign: its id among the layouts of weight-only checkpoints.
    """
    searched = bits < 8  # at 8 bits, a search gains 1 % of the squared error
    return Format(
        tag=tag,
        summary=f"{bits}-bit codes, float32 scale and zero point for a group of any size along a row",
        block=(1, GROUP.name),
        parts=(per_block("scales", "f4"), per_block("zeros", "u1"), packed("q", bits=bits)),
        params=(GROUP,),
        options=(METHOD,) if searched else (),
        uses=frozenset({"importance"} if searched else ()),
        foreign={"weight-only": foreign},
        encode=partial(_encode, 2**bits - 1),
        decode_block=decode_block,
        bound=partial(_bound, 2**bits - 1),
    )


def indexed(tag: str, bits: int, foreign: str) -> Format:
    """As `affine`, but an index assigns columns to groups; such a format is only read, and has no encoder."""
    plain = affine(tag, bits, foreign)
    scales, zeros, q = plain.parts

    def decode(parts: Parts, geom: Geometry) -> Floats:
        codes = plain.unpacked(parts, geom)["q"]
        return _decode_indexed(parts, codes)

    return attrs.evolve(
        plain,
        summary=f"{bits}-bit codes, float32 scale and zero point for a group of columns that an index names",
        parts=(scales, zeros, per_column("groups", "u4"), q),
        decode=decode,
        options=(),
        uses=frozenset(),
        encode=None,
        decode_block=None,
        bound=None,
    )


def decode_block(scales: Array, zeros: Array, q: Array, weights: Array, group: int) -> None:
    """Decodes one group."""
    weights[:] = scales * (q - zeros)


@np.errstate(over="ignore", invalid="ignore")  # a foreign file may hold any scale
def _decode_indexed(parts: Parts, codes: Array) -> Floats:
    """Scales and zeros (rows, groups), codes (rows, cols) -> float32 (rows, cols)."""
    scales, zeros = parts["scales"], parts["zeros"]
    index = np.minimum(parts["groups"], scales.shape[1] - 1)  # (cols,); a damaged file may name any group
    w = codes.astype(np.float32)
    w -= zeros[:, index]
    w *= scales[:, index]
    return w


def _encode(top: int, blocks: Blocks) -> Parts:
    """Scales, zero points, and codes 0 .. `top`."""
    size = blocks.w.shape[1]
    x = as_groups(blocks.w, size)  # (group, groups)
    if blocks.options.get("method") == "hqq":
        settings = half_quadratic_settings(x, top)
    elif blocks.importance is not None:
        settings = weighted_settings(x, as_groups(blocks.importance, size), top)
    else:
        settings = extent_settings(x, top)
    scale, zero = settings[0].astype(np.float32), settings[1].astype(np.uint8)
    return {"scales": scale, "zeros": zero, "q": codes(x, settings, top).T.astype(np.uint8)}


def _bound(top: int, w: Array, geom: Geometry) -> Array:
    """Half a step of the group's extent, which includes 0, for clamped codes too; and the roundings to float32."""
    high = over_blocks(np.maximum(w, 0), 1, geom.params["group"], np.maximum)
    low = over_blocks(np.minimum(w, 0), 1, geom.params["group"], np.minimum)
    relative: float = 1 / (2 * top) + 4 * F32_ULP
    return np.add((high - low) * relative, 256 * F32_LEAST)
