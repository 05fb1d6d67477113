"""Formats of codes with a scale for each group of a row, as checkpoints of other tools hold them.

A weight is scale * (code - zero), computed in float32; without zero points half of the codes' range stands for 0. Which
formats are so is told by their ids in other systems, never by their tags:

==============================  ====================================================
weight-only, uint4 or uint8     float32 scales, zero points, groups of any size
ggml 2, ggml 8                  float16 scales, groups of 32, no zero points
llama2.c, int8 groups           float32 scales, groups of any size, no zero points
weight-only, float8 groups      float32 scales, groups of any size; codes are 8-bit floats
==============================  ====================================================
"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.format import Format
from fourcc.geometry import Geometry, split_shape
from fourcc.settings import Params

_GROUP = "group"


@attrs.frozen
class GroupedFormat:
    """A format of codes and scales: how many bits, and what shares a scale.

    Attributes:
        bits: of a code.
        group: columns that share a scale; None: the parameter ``group`` says it.
        zeros: whether it has zero points.
        scales: the dtype of its scales, as numpy spells it.
        indexed: whether an index names the group of each column.
        floats: whether codes are 8-bit floats.
    """

    bits: int
    group: int | None = None
    zeros: bool = False
    scales: str = "<f4"
    indexed: bool = False
    floats: bool = False

    def size(self, params: Params, cols: int) -> int:
        """Columns that share a scale; a row that is shorter than a group is one."""
        return min(int(params[_GROUP]) if self.group is None else self.group, cols)


_KNOWN: Mapping[tuple[str, int | str], GroupedFormat] = {
    ("weight-only", "uint4 groups"): GroupedFormat(4, zeros=True),
    ("weight-only", "uint8 groups"): GroupedFormat(8, zeros=True),
    ("weight-only", "uint4 indexed groups"): GroupedFormat(4, zeros=True, indexed=True),
    ("weight-only", "uint8 indexed groups"): GroupedFormat(8, zeros=True, indexed=True),
    ("ggml", 2): GroupedFormat(4, 32, scales="<f2"),
    ("ggml", 8): GroupedFormat(8, 32, scales="<f2"),
    ("llama2.c", "int8 groups"): GroupedFormat(8),
    ("weight-only", "float8 groups"): GroupedFormat(8, floats=True),
}


@attrs.frozen(eq=False)
class Groups:
    """A matrix of codes, scales and zero points.

    Attributes:
        codes: uint8 (rows, cols).
        scales: float16 or float32 (rows, groups).
        zeros: uint8 (rows, groups).
        index: uint32 (cols,), the group of each column; None: a group's columns are neighbours.
    """

    codes: Array
    scales: Array
    zeros: Array
    index: Array | None


def grouped_format(fmt: Format) -> GroupedFormat | None:
    """The format's codes and scales, as the table has them; None where it has no such."""
    return next((_KNOWN[key] for key in fmt.foreign.items() if key in _KNOWN), None)


def groups_of(fmt: Format, params: Params, shape: tuple[int, ...], parts: Parts) -> Groups:
    """Codes and scales of a whole matrix, from its stored parts."""
    known = grouped_format(fmt)
    assert known is not None
    _, rows, cols = split_shape(shape)
    (stored,) = fmt.unpacked(parts, Geometry(rows, cols, params)).values()
    half = 1 << known.bits - 1
    codes = stored.astype(np.int16) + half if stored.dtype.kind == "i" else stored
    shared = _shared(fmt, parts)
    zeros = shared[1] if known.zeros else np.full((rows, cols // known.size(params, cols)), half, np.uint8)
    index = shared[-1].reshape(-1) if known.indexed else None
    return Groups(codes.astype(np.uint8), shared[0].reshape(rows, -1), zeros.reshape(rows, -1), index)


def _shared(fmt: Format, parts: Parts) -> list[Array]:
    """The entries that several weights share: scales first, then zero points, then an index."""
    return [
        parts[part.name][field.name] if part.fields else parts[part.name]
        for part in fmt.parts
        for field in part.fields or (part,)
        if field.reach != "weight"
    ]
