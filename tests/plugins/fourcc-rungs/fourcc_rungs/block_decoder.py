"""Rng2, the second rung: a function that decodes one block. Fused products and `decode` are made from it."""

from fourcc import Array, Format
from fourcc_rungs.layout import LAYOUT


def decode_block(scale: Array, codes: Array, weights: Array) -> None:
    """The scale of the block's row and 16 codes -> 16 weights."""
    weights[:] = scale * codes


RNG2 = Format(tag="Rng2", decode_block=decode_block, **LAYOUT)
