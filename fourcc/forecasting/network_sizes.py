"""The matrices of a planned model as its network will run them: bytes in memory, and bytes that a token reads."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import attrs

from fourcc import compute
from fourcc.errors import FourccError
from fourcc.geometry import split_shape
from fourcc.models.architecture import Architecture
from fourcc.naming import roles
from fourcc.networks import check
from fourcc.plugins.registry import registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fourcc.conversion.pipeline import Step
    from fourcc.conversion.plan import Plan
    from fourcc.exporters.export import ExportPlan

STACKED = 3  # dimensions of a stack of experts' matrices
FLOAT = 0  # ggml's id of float32, as which weights are multiplied that products decode first


@attrs.frozen
class NetworkMatrix:
    """One matrix, or a stack of experts' matrices.

    Attributes:
        tag: of the format that products take: the stored one, or float32 where these decode first.
        weights: how many.
        resident: bytes in memory, as its kernel takes them.
        share: of these that a token reads: all, the active experts, or nothing of an embedding.
    """

    tag: str
    weights: int
    resident: int
    share: float


@attrs.frozen
class NetworkSizes:
    """A planned model's network.

    Attributes:
        architecture: its sizes.
        matrices: its tensors of two dimensions and more, in the planned formats.
        vectors: bytes of the others, as float32.
    """

    architecture: Architecture
    matrices: tuple[NetworkMatrix, ...]
    vectors: int

    @property
    def resident(self) -> int:
        """Bytes of all weights in memory."""
        return self.vectors + sum(each.resident for each in self.matrices)

    @property
    def read(self) -> float:
        """Bytes of weights that a token reads."""
        return self.vectors + sum(each.share * each.resident for each in self.matrices)


def network_sizes(planned: Plan | ExportPlan) -> NetworkSizes:
    """The network of a planned model.

    Raises:
        FourccError: the model cannot be run here; the message says why.
    """
    source = planned.source
    shapes = {tensor.name: tensor.shape for tensor in source.tensors}
    check(source.architecture, source.hyper, shapes, source.path)
    if planned.weights < sum(map(prod, shapes.values())):
        raise FourccError("a part of a model is not run")
    sizes = Architecture.of(source.architecture, source.hyper, source.path)
    matrices = tuple(_matrices(planned, sizes))
    vectors = sum(4 * prod(step.source.shape) for step in planned.steps if len(step.source.shape) < 2)
    return NetworkSizes(sizes, matrices, vectors)


def _matrices(planned: Plan | ExportPlan, sizes: Architecture) -> Iterator[NetworkMatrix]:
    steps = [step for step in planned.steps if len(step.source.shape) > 1]
    parts = [roles(step.source.name) for step in steps]
    untied = any("output" in part for part in parts)
    for step, part in zip(steps, parts, strict=True):
        share = 0.0 if untied and "embedding" in part else 1.0
        if len(step.source.shape) == STACKED and sizes.n_experts:
            share = (sizes.n_experts_used or sizes.n_experts) / sizes.n_experts
        yield _matrix(step, share)


def _matrix(step: Step, share: float) -> NetworkMatrix:
    decision, weights = step.decision, prod(step.source.shape)
    fmt = registry[decision.tag]
    kernel = compute.kernel_of(fmt, decision.params)
    if kernel.level == "decode":
        return NetworkMatrix(_float_tag(), weights, 4 * weights, share)
    lead, rows, cols = split_shape(step.source.shape)
    packed = decision.nbytes if kernel.packed is None else prod(lead) * kernel.packed(rows, cols)
    return NetworkMatrix(str(decision.tag), weights, packed, share)


def _float_tag() -> str:
    fmt = registry.foreign("ggml", FLOAT)
    return "" if fmt is None else str(fmt.tag)
