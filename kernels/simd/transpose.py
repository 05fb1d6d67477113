"""Sixteen rows of bytes to columns: words at the same place of every row side by side, as tiles take them."""

from __future__ import annotations

import numpy as np

from fourcc.kernels.simd.builder import Builder, Value, vector
from fourcc.kernels.simd.dot import BIAS
from fourcc.kernels.simd.interpreted import read, write
from fourcc.kernels.simd.operation import operation
from fourcc.kernels.simd.tiles import addresses, nothing

FLIPPED = 0x80808080 - (1 << 32)  # what `biased` flips of four bytes


@operation(returns=nothing)
def transpose(source: int, step: int, out: int) -> None:
    """Sixteen rows of sixteen 32-bit words, `step` bytes apart, to sixteen columns, one after the other."""
    rows = np.stack([read(source + row * step, "<i4", 16) for row in range(16)])
    write(out, rows.T)


@transpose.lowered
def _(b: Builder, source: Value, step: Value, out: Value) -> None:
    rows = addresses(b, source, step, 16)
    for quarter in range(4):
        groups = [_quarters(b, rows[each::4], 16 * quarter) for each in range(4)]
        for word, column in enumerate(_columns(b, groups)):
            b.store_to(b.plus(out, 64 * (4 * quarter + word)), column)


@operation(returns=nothing)
def transpose_codes(source: int, step: int, out: int) -> None:
    """Sixteen rows of 16 signed bytes, `step` bytes apart, to four columns of four bytes, as `biased` leaves them."""
    rows = np.stack([read(source + row * step, "<i4", 4) for row in range(16)])
    write(out, (np.ascontiguousarray(rows.T).view(np.uint8) ^ np.uint8(BIAS)).view(np.int32))


@transpose_codes.lowered
def _(b: Builder, source: Value, step: Value, out: Value) -> None:
    rows = addresses(b, source, step, 16)
    groups = [_quarters(b, rows[each::4], 0) for each in range(4)]
    for word, column in enumerate(_columns(b, groups)):
        biased = b.xor(column, b.constant(column.type, FLIPPED)) if b.target.bias else column
        b.store_to(b.plus(out, 64 * word), biased)


def _quarters(b: Builder, rows: list[Value], offset: int) -> Value:
    """Four words of each of four rows: loads that insert keep the few shuffling units free."""
    loaded = [b.load_from(b.plus(row, offset), vector("i32", 4)) for row in rows]
    halves = [b.shuffle(loaded[each], loaded[each + 1], list(range(8))) for each in (0, 2)]
    return b.shuffle(halves[0], halves[1], list(range(16)))


def _columns(b: Builder, groups: list[Value]) -> list[Value]:
    """Four columns of sixteen rows; group i has words 0 to 3 of rows i, i + 4, i + 8 and i + 12."""
    lower, upper, pairs, others = (
        [4 * quarter + lane for quarter in range(4) for lane in lanes]
        for lanes in ((0, 16, 1, 17), (2, 18, 3, 19), (0, 1, 16, 17), (2, 3, 18, 19))
    )
    made = []
    for words in (lower, upper):
        first, second = (b.shuffle(groups[each], groups[each + 1], words) for each in (0, 2))
        made += [b.shuffle(first, second, lanes) for lanes in (pairs, others)]
    return made
