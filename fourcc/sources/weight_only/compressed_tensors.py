"""compressed-tensors' config: groups of modules, each with a scheme of its own, and modules that stay plain.

A group's ``targets`` are names of modules, patterns (``re:...``, which match the beginning of a name), or classes.
Which class a module has the files do not tell; of torch's two that hold matrices, ``Linear`` is everything but
embeddings. Names count before patterns, patterns before classes; of several of a kind the first in the order of their
texts, as in the package itself (compressed-tensors 0.20.1, `match_targets`).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs

from fourcc.sources.weight_only.float4 import MxFloat4, NvFloat4
from fourcc.sources.weight_only.float8 import BLOCK, Float8
from fourcc.sources.weight_only.groups import positive
from fourcc.sources.weight_only.module import WeightLayout
from fourcc.sources.weight_only.name_patterns import NamePattern
from fourcc.sources.weight_only.packed_integers import PackedIntegers

_PATTERN = "re:"
_CLASSES = ("Linear", "Embedding")
_BITS = range(2, 9)  # of packed integers
_MIXED = (None, "mixed-precision")  # the format follows from the arguments
_INTEGERS = ("pack-quantized", "int-quantized", "naive-quantized", *_MIXED)
_FLOATS8 = ("float-quantized", "naive-quantized", "mxfp8-quantized", *_MIXED)
_FLOAT4: Mapping[str | None, WeightLayout] = {
    "nvfp4-pack-quantized": NvFloat4("weight_packed", "weight_global_scale", divides=True),
    "mxfp4-pack-quantized": MxFloat4(),
}
_BLOCKS: Mapping[str, BLOCK] = {"tensor": (None, None), "channel": (1, None)}
_FLOAT4_BY_GROUP: Mapping[int | None, str] = {16: "nvfp4-pack-quantized", 32: "mxfp4-pack-quantized"}


@attrs.frozen
class ModuleTargets:
    """Names and patterns of modules, each with a layout.

    Attributes:
        names: names of modules, or of classes.
        patterns: in the order in which they count.
    """

    names: Mapping[str, WeightLayout | None]
    patterns: tuple[tuple[NamePattern, WeightLayout | None], ...]

    @classmethod
    def of(cls, layouts: Mapping[str, WeightLayout | None], path: Path) -> ModuleTargets:
        """The targets of these texts. Raises SourceError where a pattern is none."""
        patterns = sorted(text for text in layouts if text.startswith(_PATTERN))
        return cls(
            {text: layout for text, layout in layouts.items() if not text.startswith(_PATTERN)},
            tuple((NamePattern.of(text.removeprefix(_PATTERN), path), layouts[text]) for text in patterns),
        )

    def found(self, module: str) -> list[WeightLayout | None]:
        """The layouts of what names a module: by its name, by a pattern, by its class."""
        its_class = _CLASSES[module.rpartition(".")[2].startswith("embed")]
        by_pattern = [layout for pattern, layout in self.patterns if pattern.begins(module)]
        return [*self._named(module), *by_pattern, *self._named(its_class)]

    def _named(self, text: str) -> tuple[WeightLayout | None, ...]:
        return (self.names[text],) if text in self.names else ()


@attrs.frozen
class TargetedLayouts:
    """The layouts of modules.

    Attributes:
        targets: of the groups; a layout None leaves modules plain.
        ignored: what names modules that stay plain.
    """

    targets: ModuleTargets
    ignored: ModuleTargets

    @property
    def every(self) -> tuple[WeightLayout, ...]:
        """The layouts that modules may have."""
        return tuple(layout for layout in self._stated() if layout is not None)

    def __call__(self, module: str) -> WeightLayout | None:
        """The layout of a module; None: it is plain, or no target names it.

        Where all targets have one layout, a module that none of them names has it, too: tools rename modules.
        """
        if self.ignored.found(module):
            return None
        found, stated = self.targets.found(module), self._stated()
        alike = all(layout == stated[0] for layout in stated)
        return found[0] if found else stated[0] if alike else None

    def _stated(self) -> list[WeightLayout | None]:
        return [*self.targets.names.values(), *(layout for _, layout in self.targets.patterns)]


def compressed_layouts(said: Mapping[str, Any], path: Path) -> TargetedLayouts | None:
    """The layouts that a config states; None where one of them is not read here.

    Raises:
        SourceError: a pattern of names is none.
    """
    groups, ignored = said.get("config_groups"), said.get("ignore") or []
    if not isinstance(groups, dict) or not groups or not _texts(ignored) or _sparse_or_turned(said):
        return None
    by_text: dict[str, WeightLayout | None] = {}
    for group in groups.values():
        if not isinstance(group, dict) or not _texts(group.get("targets")):
            return None
        weights = group.get("weights")
        form = group.get("format") or said.get("format")
        layout = _layout(form, weights) if isinstance(weights, dict) else None
        if layout is None and weights is not None:
            return None
        by_text |= dict.fromkeys(group["targets"], layout)
    if not any(by_text.values()):
        return None
    return TargetedLayouts(ModuleTargets.of(by_text, path), ModuleTargets.of(dict.fromkeys(ignored), path))


def _texts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, str) for each in value)


def _sparse_or_turned(said: Mapping[str, Any]) -> bool:
    """Whether weights are stored without their zeros, or multiply activations that are turned before."""
    sparse, turned = said.get("sparsity_config"), said.get("transform_config")
    return bool(turned) or (isinstance(sparse, dict) and sparse.get("format") not in (None, "dense"))


def _layout(form: object, weights: Mapping[str, Any]) -> WeightLayout | None:
    """The layout of a format and the arguments of the weights; None where it is not read here."""
    kind, bits, group = weights.get("type", "int"), weights.get("num_bits"), positive(weights.get("group_size"))
    if kind == "int" and form in _INTEGERS:
        return PackedIntegers(bits, group) if type(bits) is int and bits in _BITS else None
    if kind == "float" and bits == 4:
        return _FLOAT4.get(_FLOAT4_BY_GROUP.get(group) if form in _MIXED else str(form))
    if kind == "float" and bits == 8 and form in _FLOATS8:
        block = _block(weights)
        return None if block is None else Float8(block, exponents=form == "mxfp8-quantized")
    return None


def _block(weights: Mapping[str, Any]) -> BLOCK | None:
    """Rows and columns that share a scale; None where the strategy is unknown."""
    group = positive(weights.get("group_size"))
    strategy = weights.get("strategy") or ("group" if group else "tensor" if weights.get("group_size") is None else "")
    if strategy == "block":
        return block_of(weights.get("block_structure"))
    if strategy == "group":
        return None if group is None else (1, group)
    return _BLOCKS.get(str(strategy))


def block_of(value: object) -> tuple[int, int] | None:
    """A block's rows and columns: ``[128, 128]``, or ``"128x128"``."""
    sides = value.split("x") if isinstance(value, str) else value
    if not isinstance(sides, list) or len(sides) != 2:
        return None
    rows, cols = (int(side) if isinstance(side, str) and side.isdecimal() else side for side in sides)
    if positive(rows) is None or positive(cols) is None:
        return None
    return rows, cols
