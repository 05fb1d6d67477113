"""AWQ, layout ``gemm``: qweight (in, out / 8), qzeros (groups, out / 8), scales (groups, out).

The nibbles of a word are in AWQ's order.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from fourcc.arrays import Array
from fourcc.sources.packed_words import awq
from fourcc.sources.weight_only.groups import Grouped, positive, transposed_scales
from fourcc.sources.weight_only.module import INT32, Joined, Module, read_whole, values

BITS = 4


@attrs.frozen
class Awq:
    """A matrix whose words hold codes of eight neighbouring rows.

    Attributes:
        group: columns that share a scale; None: as many as the shapes say.
    """

    group: int | None

    @property
    def parts(self) -> tuple[str, ...]:
        """Endings of the tensors' names."""
        return "qweight", "qzeros", "scales"

    def joined(self, module: Module) -> Joined:
        """The matrix."""
        words, ins, width = module.matrix("qweight", INT32)
        outs = 8 * width
        scales, zeros, count = transposed_scales(module, outs, BITS, awq)

        def codes(first: int, last: int) -> Array:
            start = first // 8
            return awq(values(words)[:, start : -(-last // 8)])[:, first - 8 * start : last - 8 * start].T

        grouped = Grouped("qweight", (outs, ins), BITS, codes, scales, zeros, count)
        return attrs.evolve(grouped.joined(module, self.group, None), gathered=read_whole(words))


def awq_layout(said: Mapping[str, Any]) -> Awq | None:
    """The layout that a config states; None where it is another one."""
    if said.get("bits") != BITS or str(said.get("version", "gemm")).lower() != "gemm":
        return None
    return Awq(positive(said.get("group_size")))
