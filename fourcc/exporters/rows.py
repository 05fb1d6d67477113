"""Tensors as an export reads them: rows of q and k put back in halves, and hyper-parameters that become tensors."""

from __future__ import annotations

from fractions import Fraction
from functools import partial
from math import prod
from typing import TYPE_CHECKING

import attrs

from fourcc.conversion.pipeline import Step
from fourcc.errors import UsageError
from fourcc.format import Aids
from fourcc.plugins.registry import registry
from fourcc.policy import Decision, TensorInfo
from fourcc.sources.extent import AdjacentPairs
from fourcc.sources.source import Source, SourceTensor
from fourcc.tiles import decoded_rows

if TYPE_CHECKING:
    from fourcc.arrays import Floats, Parts

_ROTATED = (".attention.wq", ".attention.wk", ".attention.q_norm", ".attention.k_norm")


def in_halves(source: Source, step: Step) -> Step:
    """The step, which reads rotated rows in Hugging Face's order: i of a head pairs with i + head_dim / 2.

    Rows move whole, so blocks along them stay as they are; a tensor whose blocks span several rows is decoded.
    """
    tensor = step.source
    if not tensor.name.removesuffix(".bias").endswith(_ROTATED):
        return step
    head_dim, vector = source.hyper.get("head_dim"), len(tensor.shape) == 1
    size = tensor.shape[-1] if vector else tensor.shape[-2]
    if type(head_dim) is not int or head_dim % 2 or size % head_dim:
        raise UsageError(
            "the rows of this tensor cannot be put into the order of the exported file",
            file=source.path,
            tensor=tensor.name,
            found=f"shape {list(tensor.shape)}, head_dim {head_dim}",
            expected="heads of one even width",
        )
    spec = tensor.format
    movable = spec.block == (1, 1) if vector else all(part.rows == 1 and not part.variable for part in spec.parts)
    if not movable:
        tensor = _decoded(tensor)
    read = AdjacentPairs(tensor.read, head_dim, vector, back=True).read
    return attrs.evolve(step, source=attrs.evolve(tensor, read=read, copy=None))


def _decoded(tensor: SourceTensor) -> SourceTensor:
    """The tensor as plain numbers of its decoded dtype."""
    fmt = registry.foreign("numpy", tensor.format.decoded)
    assert fmt is not None  # every decoded dtype has a plain format
    part = fmt.parts[0].name

    def read(matrix: int, first: int, last: int) -> Parts:
        return {part: decoded_rows(tensor, tensor.format, matrix, first, last)}

    return attrs.evolve(tensor, tag=fmt.tag, params={}, read=read, copy=None, record=None)


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
