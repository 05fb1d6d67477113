"""Tensors as an export reads them: decoded, and hyper-parameters that become tensors."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from math import prod
from typing import TYPE_CHECKING

import attrs

from fourcc.conversion.pipeline import Step
from fourcc.format import Aids
from fourcc.geometry import split_shape
from fourcc.plugins.registry import registry
from fourcc.policy import Decision, TensorInfo
from fourcc.sources.source import SourceTensor
from fourcc.tiles import TILE_WEIGHTS, decoded_rows

if TYPE_CHECKING:
    from fourcc.arrays import Floats, Parts

DECODING = 32  # bytes for a weight, while blocks are decoded


def as_numbers(tensor: SourceTensor) -> SourceTensor:
    """The tensor as plain numbers of its decoded dtype."""
    fmt = registry.foreign("numpy", tensor.format.decoded)
    assert fmt is not None  # every decoded dtype has a plain format
    if fmt.tag == tensor.tag:
        return tensor
    part = fmt.parts[0].name

    def read(matrix: int, first: int, last: int) -> Parts:
        return {part: decoded_rows(tensor, tensor.format, matrix, first, last)}

    _, rows, cols = split_shape(tensor.shape)
    step = rows if tensor.format.variable else tensor.format.block[0] or rows
    tall = min(rows, step + -(-TILE_WEIGHTS // max(1, cols)))  # rows that are decoded for a tile, at most
    held = tensor.gathered + DECODING * tall * cols
    return attrs.evolve(tensor, tag=fmt.tag, params={}, read=read, copy=None, record=None, gathered=held)


def constant(name: str, values: Floats) -> Step:
    """A tensor that is in no source: a vector of float32 numbers, stored as they are."""
    fmt = registry.foreign("numpy", "<f4")
    assert fmt is not None
    part, tag, shape = fmt.parts[0].name, fmt.tag, values.shape
    read = partial(_read_constant, part, values)
    nbytes = 4 * prod(shape)
    info = TensorInfo(name=name, shape=shape, roles=("other",), layer=None, tag=tag)
    decision = Decision(info, 0, tag, {}, {}, True, False, None, Fraction(32), nbytes)  # noqa: FBT003 - as declared
    return Step(SourceTensor(name, name, shape, tag, read), decision, Aids())


def _read_constant(part: str, values: Floats, matrix: int, first: int, last: int) -> Parts:  # noqa: ARG001 - as any read
    return {part: values.reshape(1, -1)}
