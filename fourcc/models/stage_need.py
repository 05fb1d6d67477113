"""The memory that a network takes which is run stage by stage, as far as shapes and formats tell."""

from __future__ import annotations

import re
from collections import defaultdict
from math import prod
from typing import TYPE_CHECKING

import attrs

from fourcc.compute import is_copied, kernel_of
from fourcc.compute.buffers import Sizes
from fourcc.geometry import split_shape
from fourcc.models.architecture import known_sizes
from fourcc.models.stages import BATCH
from fourcc.plugins.registry import registry

if TYPE_CHECKING:
    from fourcc.container.index import TensorRecord
    from fourcc.models.architecture import Architecture
    from fourcc.models.model import Model

FLOAT = 4  # bytes
CODES = 1.4  # of the bytes of activations: with the forms that products take them in
_LAYER = re.compile(r"layers\.\d+\.")


@attrs.frozen
class StageNeed:
    """The bytes of a network.

    Attributes:
        stage: the stage whose weights take most: ``layers.7.``, or a tensor's name.
        weights: bytes of that stage's weights.
        every: bytes of all weights.
        activations: bytes of the activations of a window in one layer.
    """

    stage: str
    weights: int
    every: int
    activations: int


def stage_need(model: Model, context: int) -> StageNeed:
    """The bytes of a model's network, for windows of so many tokens."""
    stages: defaultdict[str, list[TensorRecord]] = defaultdict(list)
    for record in model.index.tensors:
        found = _LAYER.match(record.name)
        stages[record.name if found is None else found[0]].append(record)
    sizes = {stage: _stage_bytes(records) for stage, records in stages.items()}
    largest = max(sizes, key=lambda stage: sizes[stage])
    activations = _activations(known_sizes(model.index, model.path), context)
    return StageNeed(largest, sizes[largest], sum(sizes.values()), activations)


def _stage_bytes(records: list[TensorRecord]) -> int:
    """Bytes of some tensors as kernels take them; while one is packed, its stored bytes are there as well."""
    packed = [(_resident(each), each.nbytes) for each in records]
    return sum(resident for resident, _ in packed) + max(stored for _, stored in packed)


def _resident(record: TensorRecord) -> int:
    fmt = registry[record.tag]
    if len(record.shape) < 2:
        return FLOAT * prod(record.shape)
    if not is_copied(fmt, record.params):
        return record.nbytes
    kernel = kernel_of(fmt, record.params)
    lead, rows, cols = split_shape(record.shape)
    return FLOAT * prod(record.shape) if kernel.packed is None else prod(lead) * kernel.packed(rows, cols)


def _activations(sizes: Architecture, context: int) -> int:
    rows, used = min(BATCH, context), sizes.n_experts_used or 0
    columns = 4 * sizes.dim + 2 * (sizes.n_heads + sizes.n_kv_heads) * sizes.head_dim + 2 * sizes.hidden_dim
    columns += used * 2 * ((sizes.expert_hidden_dim or 0) + sizes.dim) + 2 * (sizes.shared_hidden_dim or 0)
    keys, values = Sizes(sizes.n_heads, sizes.n_kv_heads, sizes.head_dim, context, 0.0).lengths
    turned = sum(each.columns for each in {sizes.turns_of(layer, context) for layer in range(sizes.n_layers)} if each)
    scores = sizes.n_heads * context
    return int(CODES * FLOAT * rows * columns) + FLOAT * (
        keys + values + scores + context * turned + 3 * context * sizes.dim
    )
