"""Q4_1: blocks of 32 codes of 4 bits, a float16 scale and a float16 mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fourcc.kernels.encoders.blocks_of_32 import encode_between
from fourcc.kernels.products.packed_gemm import interleaved
from fourcc.kernels.products.packed_layout import NIBBLES, WORD, Block, two_float16s
from fourcc.kernels.simd.arithmetic import ints_of, shifted_right
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import load_ints
from fourcc.kernels.simd.select import both

Function = Callable[..., Any]


def _codes(put: Function, finish: Function, no_dots: Function) -> Function:
    def codes(p: int, place: int, total: Lanes, numbers: Any) -> Lanes:
        """Low nibbles are 16 columns, high ones the next 16."""
        mask, dots = ints_of(NIBBLES), no_dots()
        for four in range(4):
            pairs = load_ints(p + WORD + WORD * four)
            dots = put(dots, both(pairs, mask), place, 4 * four)
            dots = put(dots, both(shifted_right(pairs, 4), mask), place, 4 * four + 16)
        made: Lanes = finish(total, dots, 0, numbers)
        return made

    return codes


KERNEL = interleaved(Block(32, 20, two_float16s, _codes, zero=0, affine=True), encoder=encode_between(15, 20))
