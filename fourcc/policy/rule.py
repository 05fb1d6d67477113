"""The values of a policy: rules, the tensors that they select, the formats that they ask for, and the decisions."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from math import prod
from typing import Any

import attrs

from fourcc.geometry import split_shape
from fourcc.policy.conditions import Condition
from fourcc.policy.globs import Globs
from fourcc.policy.layers import Layers
from fourcc.settings import Params, settings_text
from fourcc.tags import FourCC


@attrs.frozen
class TensorInfo:
    """Everything that a policy may know of a tensor: all but its weights.

    Attributes:
        name: the name in fourcc's spelling.
        shape: true shape, (out features, in features) for a matrix.
        roles: its roles in the model; a tied embedding has two.
        layer: the layer that it belongs to, from 0, or None.
        tag: the format that it is stored in.
        params: the parameters of that format.
        real: whether that format holds real numbers, not integers or truth values.
        nbytes: bytes of its parts, where the source knows; then the tensor can be kept without its format.
    """

    name: str
    shape: tuple[int, ...]
    roles: tuple[str, ...]
    layer: int | None
    tag: FourCC
    params: Params = attrs.field(factory=dict)
    real: bool = True
    nbytes: int | None = None

    def measure(self, key: str) -> int:
        """The measure of the shape that a condition names: ``dims``, ``rows``, ``cols``, ``ratio`` or ``weights``."""
        _, rows, cols = split_shape(self.shape)
        sizes = {"dims": len(self.shape), "rows": rows, "cols": cols, "weights": prod(self.shape)}
        return cols // max(1, rows) if key == "ratio" else sizes[key]


@attrs.frozen
class FormatChoice:
    """A format that a rule asks for; its settings are as given, neither checked nor completed."""

    tag: FourCC
    params: Params = attrs.field(factory=dict)
    options: Params = attrs.field(factory=dict)


@attrs.frozen
class Rule:
    """One ``[[rule]]``. A selector that is None, or absent, selects every tensor.

    Attributes:
        match: patterns for the name.
        role: patterns for the roles; one of the tensor's roles must match.
        layers: the layers; a tensor outside the layers is not selected.
        depth: condition on the number of layers of the model.
        shape: ``dims``, ``rows``, ``cols``, ``ratio`` or ``weights`` -> condition.
        real: whether the stored format holds real numbers.
        stored: tags of which one is the stored format's.
        choices: the formats, of which the first that fits the shape is taken; none: keep the tensor as stored.
        optional: whether the rule may decide no tensor.
        nonfinite: whether NaN and infinity are let through.
    """

    match: Globs | None = None
    role: Globs | None = None
    layers: Layers | None = None
    depth: Condition | None = None
    shape: Mapping[str, Condition] = attrs.field(factory=dict)
    real: bool | None = None
    stored: frozenset[FourCC] | None = None
    choices: tuple[FormatChoice, ...] = ()
    optional: bool = False
    nonfinite: bool = False

    def selects(self, tensor: TensorInfo, layer_count: int) -> bool:
        """Whether the rule is for this tensor of a model with `layer_count` layers."""
        return (
            (self.match is None or self.match.match(tensor.name))
            and (self.role is None or self.role.match_any(tensor.roles))
            and (self.layers is None or (tensor.layer is not None and self.layers.match(tensor.layer, layer_count)))
            and (self.depth is None or self.depth.match(layer_count))
            and all(condition.match(tensor.measure(key)) for key, condition in self.shape.items())
            and (self.real is None or tensor.real == self.real)
            and (self.stored is None or tensor.tag in self.stored)
        )


@attrs.frozen
class Decision:
    """A policy's decision for a tensor.

    Attributes:
        tensor: the tensor.
        rule: index of the rule that decided, from 0.
        tag: the format in the output.
        params: the format's parameters, complete.
        options: the encoder's options, complete; empty where the tensor is kept.
        keep: whether its blocks are carried as they are stored.
        nonfinite: whether NaN and infinity are let through.
        fallback_from: the rule's first format, where a later one was taken.
        bits_per_weight: the true number, with scales and short blocks; nominal for parts of variable length.
        nbytes: bytes of all parts, without padding.
    """

    tensor: TensorInfo
    rule: int
    tag: FourCC
    params: Params
    options: Params
    keep: bool
    nonfinite: bool
    fallback_from: FourCC | None
    bits_per_weight: Fraction
    nbytes: int

    def fields(self) -> dict[str, Any]:
        """The decision as a record: see `Plan.records`."""
        tensor = self.tensor
        return {
            "name": tensor.name,
            "roles": list(tensor.roles),
            "layer": tensor.layer,
            "shape": list(tensor.shape),
            "weights": prod(tensor.shape),
            "stored_tag": str(tensor.tag),
            "tag": str(self.tag),
            "settings": settings_text({**self.params, **self.options}.items()) or None,
            "kept": self.keep,
            "bits_per_weight": float(self.bits_per_weight),
            "bytes": self.nbytes,
            "rule": self.rule,
            "fallback_from": None if self.fallback_from is None else str(self.fallback_from),
        }
