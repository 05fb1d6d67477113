"""Q5_K: superblocks of 256 codes of 5 bits, a scale and a minimum of 6 bits for each 32.

The product is that of Q4_K; the fifth bits are 32 bytes of their own, bit i of each for columns 32 i and the next 31.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fourcc.kernels.encoders.affine_blocks import affine_encoder
from fourcc.kernels.encoders.bit_fields import store_bits, store_nibbles
from fourcc.kernels.encoders.six_bits import expand_scales, six_bit_block
from fourcc.kernels.products.packed_gemm import interleaved
from fourcc.kernels.products.packed_layout import NIBBLES, ONES, WORD, Block
from fourcc.kernels.simd.arithmetic import ints_of, shifted_right
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import load_ints
from fourcc.kernels.simd.select import both, either, shifted_left

Function = Callable[..., Any]


def _codes(put: Function, finish: Function, no_dots: Function) -> Function:
    def codes(p: int, place: int, total: Lanes, numbers: Any) -> Lanes:
        """Four runs of 32 bytes: low nibbles are 32 columns, high ones the next 32."""
        mask, one = ints_of(NIBBLES), ints_of(ONES)
        for run in range(4):
            low, high = no_dots(), no_dots()
            for four in range(8):
                pairs, column = load_ints(p + WORD * (12 + 8 * run + four)), 64 * run + 4 * four
                fifths = shifted_right(load_ints(p + WORD * (4 + four)), 2 * run)
                more = shifted_left(both(fifths, one), 4)
                low = put(low, either(both(pairs, mask), more), place, column)
                more = shifted_left(both(shifted_right(fifths, 1), one), 4)
                high = put(high, either(both(shifted_right(pairs, 4), mask), more), place, column + 32)
            total = finish(total, low, 2 * run, numbers)
            total = finish(total, high, 2 * run + 1, numbers)
        return total

    return codes


def _store_codes(block: int, codes: int) -> None:
    store_bits(block + 16, codes, 4)
    store_nibbles(block + 48, codes, 32)


_ENCODER = affine_encoder(six_bit_block(31, 176, (-0.5, 0.1, 15), _store_codes))
KERNEL = interleaved(Block(256, 176, expand_scales, _codes, zero=0, affine=True), encoder=_ENCODER)
