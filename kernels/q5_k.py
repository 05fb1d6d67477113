"""Q5_K: super-blocks of 256 codes of 5 bits, a scale and a minimum of 6 bits for each 32.

The product is that of Q4_K. The fifth bits are 32 bytes of their own: bit i of each is for columns 32 i .. 32 i + 31.
"""

from __future__ import annotations

from fourcc.kernels.encoders.affine_blocks import affine_encoder
from fourcc.kernels.encoders.bit_fields import store_bits, store_nibbles
from fourcc.kernels.encoders.six_bits import expand_scales, six_bit_block
from fourcc.kernels.products.packed_gemm import packed_kernel
from fourcc.kernels.products.packed_layout import NIBBLES, ONES, PACKED_WORD, Block
from fourcc.kernels.products.signatures import FinishGroup, NoDots, Place, PutCodes, WalkCodes, Where
from fourcc.kernels.simd.arithmetic import ints_of, shifted_right
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import load_ints
from fourcc.kernels.simd.select import both, either, shifted_left


def _codes(put: PutCodes[Place], finish: FinishGroup[Where], no_dots: NoDots) -> WalkCodes[Place, Where]:
    def codes(p: int, place: Place, total: Lanes, where: Where) -> Lanes:
        """In each of four runs of 32 bytes, low nibbles are 32 columns, high nibbles the next 32."""
        mask, one = ints_of(NIBBLES), ints_of(ONES)
        for run in range(4):
            low, high = no_dots(), no_dots()
            for four in range(8):
                pairs, column = load_ints(p + PACKED_WORD * (12 + 8 * run + four)), 64 * run + 4 * four
                fifths = shifted_right(load_ints(p + PACKED_WORD * (4 + four)), 2 * run)
                more = shifted_left(both(fifths, one), 4)
                low = put(low, either(both(pairs, mask), more), place, column)
                more = shifted_left(both(shifted_right(fifths, 1), one), 4)
                high = put(high, either(both(shifted_right(pairs, 4), mask), more), place, column + 32)
            total = finish(total, low, 2 * run, where)
            total = finish(total, high, 2 * run + 1, where)
        return total

    return codes


def _store_codes(block: int, codes: int) -> None:
    store_bits(block + 16, codes, 4)
    store_nibbles(block + 48, codes, 32)


_ENCODER = affine_encoder(six_bit_block(31, 176, (-0.5, 0.1, 15), _store_codes))
KERNEL = packed_kernel(Block(256, 176, expand_scales, _codes, zero=0, affine=True), encoder=_ENCODER)
