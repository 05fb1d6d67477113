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


# Number -> type: those that files hold, or held, and no built-in format declares. Most were removed: the blocks of Q4_0
# and IQ4_NL, rearranged for a processor; Q4_2 and Q4_3, which are older than GGUF.
TYPES = MappingProxyType(
    {
        4: GgmlType("Q4_2", 16, 10),
        5: GgmlType("Q4_3", 16, 12),
        15: GgmlType("Q8_K", 256, 292),
        31: GgmlType("Q4_0_4_4", 32, 18),
        32: GgmlType("Q4_0_4_8", 32, 18),
        33: GgmlType("Q4_0_8_8", 32, 18),
        36: GgmlType("IQ4_NL_4_4", 32, 18),
        37: GgmlType("IQ4_NL_4_8", 32, 18),
        38: GgmlType("IQ4_NL_8_8", 32, 18),
        142: GgmlType("PQ2_0 of PrismML's llama.cpp", 128, 34),
    }
)


def layout_name(number: int) -> str:
    """A type's name in messages."""
    known = TYPES.get(number)
    return f"ggml type {number}" if known is None else f"{known.name} (ggml type {number})"
