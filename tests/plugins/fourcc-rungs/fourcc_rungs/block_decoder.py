"""Rng2, the second rung: a function that decodes one block, from which fused products are generated."""

from fourcc import Array, Format
from fourcc_rungs.layout import BLOCK, bound, codes, decode, encode, spec


def decode_block(scales: Array, codes: Array, weights: Array) -> None:
    """Decodes one block of a row: the row's scale and 16 codes -> 16 weights."""
    for column in range(BLOCK):
        weights[column] = scales[0] * codes[column]


RNG2 = Format(spec=spec("Rng2"), decode=decode, encode=encode, codes=codes, bound=bound, decode_block=decode_block)
