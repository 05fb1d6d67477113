"""Q4_1: blocks of 32 codes of 4 bits, a float16 scale and a float16 offset, which is the block's minimum."""

from __future__ import annotations

from fourcc.kernels.encoders.blocks_of_32 import encode_between
from fourcc.kernels.products.packed_gemm import packed_kernel
from fourcc.kernels.products.packed_layout import NIBBLES, PACKED_WORD, Block, two_float16s
from fourcc.kernels.products.signatures import FinishGroup, NoDots, Place, PutCodes, WalkCodes, Where
from fourcc.kernels.simd.arithmetic import ints_of, shifted_right
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import load_ints
from fourcc.kernels.simd.select import both


def _codes(put: PutCodes[Place], finish: FinishGroup[Where], no_dots: NoDots) -> WalkCodes[Place, Where]:
    def codes(p: int, place: Place, total: Lanes, where: Where) -> Lanes:
        """Low nibbles are 16 columns, high nibbles the next 16."""
        mask, dots = ints_of(NIBBLES), no_dots()
        for four in range(4):
            pairs = load_ints(p + PACKED_WORD + PACKED_WORD * four)
            dots = put(dots, both(pairs, mask), place, 4 * four)
            dots = put(dots, both(shifted_right(pairs, 4), mask), place, 4 * four + 16)
        return finish(total, dots, 0, where)

    return codes


KERNEL = packed_kernel(Block(32, 20, two_float16s, _codes, zero=0, affine=True), encoder=encode_between(15, 20))
