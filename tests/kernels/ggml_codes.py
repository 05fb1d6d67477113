"""Scales, codes and offsets of ggml's formats, from the fields of their blocks."""

from collections.abc import Callable

import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.formats import mxf4, q3_k
from fourcc.formats.layouts.six_bits import minimum_of, scale_of
from fourcc.formats.searches.levels import LEVELS
from fourcc.geometry import Geometry
from fourcc.kernels.simd.target import target
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag

Numbers = tuple[Array, Array | None]  # scales and offsets, (rows, scales of a row)


def _floats(blocks: Array, name: str) -> Array:
    wide: Array = blocks[name].astype(np.float64)[..., None]
    return wide


def _scale(blocks: Array) -> Numbers:
    return _floats(blocks, "d"), None


def _scale_and_offset(blocks: Array) -> Numbers:
    return _floats(blocks, "d"), _floats(blocks, "m")


def _six_bits(blocks: Array) -> Numbers:
    stored = np.moveaxis(blocks["scales"], -1, 0)
    scales, minima = (np.stack([of(stored, j) for j in range(8)], axis=-1) for of in (scale_of, minimum_of))
    return _floats(blocks, "d") * scales, -_floats(blocks, "dmin") * minima


def _four_bits(blocks: Array) -> Numbers:
    scales = blocks["scales"]
    return _floats(blocks, "d") * (scales & 15), -_floats(blocks, "dmin") * (scales >> 4)


def _signed(blocks: Array) -> Numbers:
    return _floats(blocks, "d") * blocks["scales"], None


def _q3_k(blocks: Array) -> Numbers:
    stored = np.moveaxis(blocks["scales"], -1, 0)
    scales = np.stack([q3_k.scale_of(stored, j) for j in range(16)], axis=-1).astype(np.float64)
    return _floats(blocks, "d") * (scales - 32), None


def _iq4x(blocks: Array) -> Numbers:
    low, high = blocks["scales_low"], blocks["scales_high"]
    scales = np.stack([low[..., j // 2] >> 4 * (j % 2) & 15 | (high >> 2 * j & 3) << 4 for j in range(8)], axis=-1)
    return _floats(blocks, "d") * (scales.astype(np.float64) - 32), None


def _power(blocks: Array) -> Numbers:
    return np.ldexp(1.0, blocks["e"].astype(np.int64) - 128)[..., None], None


# By tag: the scales and offsets of blocks, and the code of weight 0; None where codes name levels.
NUMBERS: dict[str, tuple[Callable[[Array], Numbers], int | None]] = {
    "Q4_1": (_scale_and_offset, 0),
    "Q5_0": (_scale, 16),
    "Q5_1": (_scale_and_offset, 0),
    "Q2_K": (_four_bits, 0),
    "Q3_K": (_q3_k, 4),
    "Q4_K": (_six_bits, 0),
    "Q5_K": (_six_bits, 0),
    "Q6_K": (_signed, 32),
    "IQ4N": (_scale, None),
    "IQ4X": (_iq4x, None),
    "MXF4": (_power, None),
}


def grouped(tag: str, parts: Parts, rows: int, cols: int) -> tuple[Array, Array, Array, int, int]:
    """Scales, codes and offsets, (rows, cols) each; the zero point of the codes; columns that share a scale."""
    numbers, zero = NUMBERS[tag]
    scale, offset = numbers(parts["blocks"])
    scale = scale.reshape(rows, -1)
    offset = np.zeros_like(scale) if offset is None else offset.reshape(rows, -1)
    take = registry[as_tag(tag)].codes
    assert take is not None
    stored = take(parts, Geometry(rows, cols))
    levels = mxf4.LEVELS if tag == "MXF4" else LEVELS
    code = levels[stored].astype(np.float64) if zero is None else stored.astype(np.float64) - zero
    group = cols // scale.shape[1]
    wide = [np.repeat(each, group, axis=1) for each in (scale, offset)]
    return wide[0], code, wide[1], target().bias if zero is None else zero, group
