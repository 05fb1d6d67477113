"""Codes of five bits in the blocks of Q5_0 and Q5_1: a word of fifth bits, then 16 bytes of nibbles."""

from __future__ import annotations

from fourcc.kernels.products.packed_layout import NIBBLES, ONES, PACKED_WORD
from fourcc.kernels.products.signatures import BlockCodes, FinishGroup, NoDots, Place, PutCodes, WalkCodes, Where
from fourcc.kernels.simd.arithmetic import ints_of, multiply, shifted_right
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import load_ints
from fourcc.kernels.simd.select import both, either, shifted_left

SPREAD = 0x00204081  # times four bits: moves bit 0 to 0, bit 1 to 8, bit 2 to 16, bit 3 to 24, with others between


def _fifth(bits: Lanes) -> Lanes:
    """The lowest four bits of the words, each as the fifth bit of one of four codes."""
    apart = both(multiply(both(bits, ints_of(15)), ints_of(SPREAD)), ints_of(ONES))
    fifths: Lanes = shifted_left(apart, 4)
    return fifths


def five_bits(first: int) -> BlockCodes:
    """The codes of a block, for `packed_layout.Block.codes`.

    Args:
        first: number of the word of fifth bits.
    """

    def build(put: PutCodes[Place], finish: FinishGroup[Where], no_dots: NoDots) -> WalkCodes[Place, Where]:
        def codes(p: int, place: Place, total: Lanes, where: Where) -> Lanes:
            """Walks over 16 columns in low nibbles and 16 in high ones; bit i of the word belongs to column i."""
            mask, dots, bits = ints_of(NIBBLES), no_dots(), load_ints(p + PACKED_WORD * first)
            for four in range(4):
                pairs = load_ints(p + PACKED_WORD * (first + 1 + four))
                low, high = both(pairs, mask), both(shifted_right(pairs, 4), mask)
                dots = put(dots, either(low, _fifth(shifted_right(bits, 4 * four))), place, 4 * four)
                dots = put(dots, either(high, _fifth(shifted_right(bits, 4 * four + 16))), place, 4 * four + 16)
            return finish(total, dots, 0, where)

        return codes

    return build
