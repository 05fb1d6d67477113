"""IQ4_NL: blocks of 32 codes of 4 bits, a float16 scale; a code names one of sixteen levels.

Levels are whole numbers of eight bits, so that they are multiplied as codes of Q8_0 are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fourcc.kernels.interleaved import NIBBLES, WORD, Block, float16s_behind, interleaved, no_dots
from fourcc.kernels.levels import levels_of
from fourcc.kernels.simd.arithmetic import ints_of, shifted_right
from fourcc.kernels.simd.choosing import both
from fourcc.kernels.simd.memory import load_ints
from fourcc.kernels.simd.twins import Lanes

Function = Callable[..., Any]


def _codes(put: Function, finish: Function) -> Function:
    def codes(p: int, place: int, total: Lanes, numbers: Any) -> Lanes:
        """Low nibbles are 16 columns, high ones the next 16."""
        mask, dots = ints_of(NIBBLES), no_dots()
        for four in range(4):
            pairs = load_ints(p + WORD * four)
            dots = put(dots, levels_of(both(pairs, mask)), place, 4 * four)
            dots = put(dots, levels_of(both(shifted_right(pairs, 4), mask)), place, 4 * four + 16)
        made: Lanes = finish(total, dots, 0, numbers)
        return made

    return codes


KERNEL = interleaved(Block(32, 18, float16s_behind(4), _codes, half=0))
