"""IQ4_NL: blocks of 32 codes of 4 bits, a float16 scale; a code names one of sixteen levels.

Levels are whole numbers of eight bits, so they are multiplied as the codes of Q8_0 are.
"""

from __future__ import annotations

from fourcc.kernels.descriptors import COLS, PARTS, X_STRIDE
from fourcc.kernels.descriptors import X as JOB_X
from fourcc.kernels.encoders.block_by_block import without_options
from fourcc.kernels.encoders.lanes import (
    LANES,
    ONE,
    SPARE,
    STAGED,
    TRIED,
    ZERO,
    X,
    order_codes,
    transpose_thirty_twos,
)
from fourcc.kernels.encoders.levels import level_codes, level_scale, levels_of, nearest_code
from fourcc.kernels.products.packed_gemm import packed_kernel
from fourcc.kernels.products.packed_layout import Block, float16s_behind
from fourcc.kernels.simd.arithmetic import divide, floats_of, multiply
from fourcc.kernels.simd.memory import VECTOR, load_float, load_floats, load_ints, load_word, store
from fourcc.kernels.simd.select import either, shifted_left, where_equal
from fourcc.kernels.simd.store_narrow import store_float16, store_low_bytes

SIZE = 18  # bytes of a block


def _encode(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Encodes sixteen blocks at a time; where fewer are left, the last one stands in for the missing ones."""
    blocks = load_word(weights + COLS) >> 5
    x, stride, base = load_word(job + JOB_X), load_word(job + X_STRIDE), load_word(weights + PARTS)
    end = last * blocks - 1
    for one in range(first * blocks, last * blocks, LANES):
        for lane in range(LANES):
            block, to = min(one + lane, end), scratch + STAGED + 2 * VECTOR * lane
            at = x + block // blocks * stride + 2 * VECTOR * (block % blocks)
            store(to, load_floats(at))
            store(to + VECTOR, load_floats(at + VECTOR))
        transpose_thirty_twos(scratch)
        _find_codes(scratch)
        for lane in range(LANES):
            p, codes = base + SIZE * min(one + lane, end), scratch + STAGED + 2 * VECTOR * lane
            store_float16(p, load_float(scratch + SPARE + 4 * lane))
            store_low_bytes(p + 2, either(load_ints(codes), shifted_left(load_ints(codes + VECTOR), 4)))


def _find_codes(scratch: int) -> None:
    """Writes scales to SPARE, codes to STAGED."""
    d, zero = level_scale(scratch), floats_of(ZERO)
    store(scratch + SPARE, d)
    inverse = where_equal(d, zero, zero, divide(floats_of(ONE), d))
    for at in range(0, 32 * VECTOR, VECTOR):
        store(scratch + TRIED + at, nearest_code(multiply(inverse, load_floats(scratch + X + at))))
    order_codes(32, scratch)


KERNEL = packed_kernel(
    Block(32, SIZE, float16s_behind(4), level_codes(levels_of), half=0), encoder=without_options(_encode)
)
