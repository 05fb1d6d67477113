"""GPTQ: qweight (in * bits / 32, out), qzeros (groups, out * bits / 32), scales (groups, out), g_idx (in).

The first version stores (zero - 1) modulo 2^bits. GPTQModel's map ``dynamic`` gives modules settings of their own: the
first pattern that matches the beginning of a module's name counts; ``-:`` leaves the module plain, ``+:`` or nothing
before the pattern overrides the config's settings.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import attrs
import numpy as np

from fourcc.arrays import Array
from fourcc.sources.packed_words import along, down
from fourcc.sources.weight_only.groups import Grouped, positive, transposed_scales
from fourcc.sources.weight_only.module import INT32, Joined, Module, read_whole, values
from fourcc.sources.weight_only.name_patterns import NamePattern

BITS = (2, 3, 4, 8)
_LESS = {"gptq": 1, "gptq_v2": 0}  # format -> how much smaller stored zero points are


@attrs.frozen
class Gptq:
    """A matrix whose words hold codes of neighbouring columns.

    Attributes:
        bits: of a code.
        group: columns that share a scale; None: as many as the shapes say.
        less: how much smaller stored zero points are than true ones.
    """

    bits: int
    group: int | None
    less: int

    @property
    def parts(self) -> tuple[str, ...]:
        """Endings of the tensors' names."""
        return "qweight", "qzeros", "scales", "g_idx"

    def joined(self, module: Module) -> Joined:
        """The matrix."""
        words, rows, outs = module.matrix("qweight", INT32)
        bits, top = self.bits, np.uint8(2**self.bits - 1)
        if 32 * rows % bits:
            raise module.refusal("qweight holds no whole number of codes", f"{rows} words", f"codes of {bits} bits")

        def points(stored: Array) -> Array:
            return along(stored, bits) + np.uint8(self.less) & top

        def codes(first: int, last: int) -> Array:
            return down(values(words)[:, first:last], bits).T

        scales, zeros, count = transposed_scales(module, outs, bits, points)
        grouped = Grouped("qweight", (outs, 32 * rows // bits), bits, codes, scales, zeros, count)
        return attrs.evolve(grouped.joined(module, self.group, "g_idx"), gathered=read_whole(words))


@attrs.frozen
class Dynamic:
    """The layouts of modules, of which some have settings of their own.

    Attributes:
        usual: of all others.
        rules: patterns in their order; None leaves a module plain.
    """

    usual: Gptq
    rules: tuple[tuple[NamePattern, Gptq | None], ...] = ()

    @property
    def every(self) -> tuple[Gptq, ...]:
        """The layouts that modules may have."""
        return (self.usual, *(layout for _, layout in self.rules if layout is not None))

    def __call__(self, module: str) -> Gptq | None:
        """The layout of a module; None: the config says that it is plain."""
        return next((layout for pattern, layout in self.rules if pattern.begins(module)), self.usual)


def gptq_layouts(said: Mapping[str, Any], path: Path) -> Dynamic | None:
    """The layouts that a config states; None where one is not read here.

    Raises:
        SourceError: a pattern of a name is none.
    """
    usual, dynamic = _settings(said), said.get("dynamic") or {}
    if usual is None or not isinstance(dynamic, dict):
        return None
    rules = []
    for key, changes in dynamic.items():
        plain, pattern = key.startswith("-:"), NamePattern.of(key.removeprefix("-:").removeprefix("+:"), path)
        layout = _settings({**said, **changes}) if isinstance(changes, dict) else None
        if layout is None and not plain:
            return None
        rules.append((pattern, None if plain else layout))
    return Dynamic(usual, tuple(rules))


def _settings(said: Mapping[str, Any]) -> Gptq | None:
    forms = {str(said[key]) for key in ("checkpoint_format", "format") if said.get(key) is not None} or {"gptq"}
    bits, less = said.get("bits"), _LESS.get(forms.pop()) if len(forms) == 1 else None
    if type(bits) is not int or bits not in BITS or less is None:
        return None
    return Gptq(bits, positive(said.get("group_size")), less)
