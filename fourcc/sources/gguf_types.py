"""ggml's types: the numbers by which a GGUF file tells how a tensor is stored.

A type that an installed format declares (``foreign={"ggml": 2}``) is read. The others are known by name and size, so a
file that has some can be listed.
"""

from __future__ import annotations

from math import prod
from types import MappingProxyType

import attrs


@attrs.frozen
class GgmlType:
    """A type that need not have a format here.

    Attributes:
        name: ggml's.
        block: weights along a row that are stored together.
        nbytes: bytes of a block.
    """

    name: str
    block: int
    nbytes: int

    def stored_bytes(self, shape: tuple[int, ...]) -> int | None:
        """Bytes of a tensor of that shape; None where its rows are no whole number of blocks."""
        return None if shape and shape[-1] % self.block else prod(shape) // self.block * self.nbytes


# Number -> type: those that ggml stores in files and no built-in format declares.
TYPES = MappingProxyType(
    {
        16: GgmlType("IQ2_XXS", 256, 66),
        17: GgmlType("IQ2_XS", 256, 74),
        18: GgmlType("IQ3_XXS", 256, 98),
        19: GgmlType("IQ1_S", 256, 50),
        21: GgmlType("IQ3_S", 256, 110),
        22: GgmlType("IQ2_S", 256, 82),
        29: GgmlType("IQ1_M", 256, 56),
        34: GgmlType("TQ1_0", 256, 54),
        35: GgmlType("TQ2_0", 256, 66),
        40: GgmlType("NVFP4", 64, 36),
    }
)


def layout_name(number: int) -> str:
    """A type's name in messages."""
    known = TYPES.get(number)
    return f"ggml type {number}" if known is None else f"{known.name} (ggml type {number})"
