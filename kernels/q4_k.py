"""Q4_K: super-blocks of 256 codes of 4 bits, a scale and a minimum of 6 bits for each 32.

With s and t an activation's scale and sum (of s times its codes) for 32 columns, and z the dot product of their codes:

    y = sum over the blocks of d scale s z - dmin minimum t
"""

from __future__ import annotations

from fourcc.kernels.encoders.affine_blocks import affine_encoder
from fourcc.kernels.encoders.bit_fields import store_nibbles
from fourcc.kernels.encoders.six_bits import expand_scales, six_bit_block
from fourcc.kernels.products.packed_gemm import packed_kernel
from fourcc.kernels.products.packed_layout import NIBBLES, PACKED_WORD, Block
from fourcc.kernels.products.signatures import FinishGroup, NoDots, Place, PutCodes, WalkCodes, Where
from fourcc.kernels.simd.arithmetic import ints_of, shifted_right
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import load_ints
from fourcc.kernels.simd.select import both


def _codes(put: PutCodes[Place], finish: FinishGroup[Where], no_dots: NoDots) -> WalkCodes[Place, Where]:
    def codes(p: int, place: Place, total: Lanes, where: Where) -> Lanes:
        """In each of four runs of 32 bytes, low nibbles are 32 columns, high nibbles the next 32."""
        mask = ints_of(NIBBLES)
        for run in range(4):
            low, high = no_dots(), no_dots()
            for four in range(8):
                pairs, column = load_ints(p + PACKED_WORD * (4 + 8 * run + four)), 64 * run + 4 * four
                low = put(low, both(pairs, mask), place, column)
                high = put(high, both(shifted_right(pairs, 4), mask), place, column + 32)
            total = finish(total, low, 2 * run, where)
            total = finish(total, high, 2 * run + 1, where)
        return total

    return codes


def _store_codes(block: int, codes: int) -> None:
    store_nibbles(block + 16, codes, 32)


_ENCODER = affine_encoder(six_bit_block(15, 144, (-1, 0.1, 20), _store_codes))
KERNEL = packed_kernel(Block(256, 144, expand_scales, _codes, zero=0, affine=True), encoder=_ENCODER)
