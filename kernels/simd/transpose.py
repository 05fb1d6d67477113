"""Transposes sixteen rows of words: the same word of all rows becomes one vector, as tiles take it."""

from __future__ import annotations

import numpy as np

from fourcc.kernels.simd.builder import Builder, Value, addresses, vector
from fourcc.kernels.simd.dot import BIAS
from fourcc.kernels.simd.interpreted import read, write
from fourcc.kernels.simd.operation import operation
from fourcc.kernels.simd.tiles import nothing

FLIPPED = 0x80808080 - (1 << 32)  # the bits of four bytes that `biased` flips


@operation(returns=nothing)
def transpose(source: int, stride: int, out: int) -> None:
    """Writes sixteen rows of sixteen 32-bit words, `stride` bytes apart, as sixteen columns, one after the other."""
    rows = np.stack([read(source + row * stride, "<i4", 16) for row in range(16)])
    write(out, rows.T)


@transpose.lowered
def _(b: Builder, source: Value, stride: Value, out: Value) -> None:
    rows = addresses(b, source, stride, 16)
    for quarter in range(4):
        groups = [_quarters(b, rows[each::4], 16 * quarter) for each in range(4)]
        for word, column in enumerate(_columns(b, groups)):
            b.store_to(b.plus(out, 64 * (4 * quarter + word)), column)


@operation(returns=nothing)
def transpose_codes(source: int, stride: int, out: int) -> None:
    """Writes sixteen rows of 16 signed bytes, `stride` bytes apart, as four columns of four bytes a row, biased."""
    rows = np.stack([read(source + row * stride, "<i4", 4) for row in range(16)])
    write(out, (np.ascontiguousarray(rows.T).view(np.uint8) ^ np.uint8(BIAS)).view(np.int32))


@transpose_codes.lowered
def _(b: Builder, source: Value, stride: Value, out: Value) -> None:
    rows = addresses(b, source, stride, 16)
    groups = [_quarters(b, rows[each::4], 0) for each in range(4)]
    for word, column in enumerate(_columns(b, groups)):
        biased = b.xor(column, b.constant(column.type, FLIPPED)) if b.target.bias else column
        b.store_to(b.plus(out, 64 * word), biased)


def _quarters(b: Builder, rows: list[Value], offset: int) -> Value:
    """Four words of each of four rows, from loads that insert, which leaves the few shuffle units free."""
    loaded = [b.load_from(b.plus(row, offset), vector("i32", 4)) for row in rows]
    halves = [b.shuffle(loaded[each], loaded[each + 1], list(range(8))) for each in (0, 2)]
    return b.shuffle(halves[0], halves[1], list(range(16)))


def _columns(b: Builder, groups: list[Value]) -> list[Value]:
    """Four columns of sixteen rows; group i has words 0 to 3 of rows i, i + 4, i + 8 and i + 12."""
    lower, upper, pairs, others = (
        [4 * quarter + lane for quarter in range(4) for lane in lanes]
        for lanes in ((0, 16, 1, 17), (2, 18, 3, 19), (0, 1, 16, 17), (2, 3, 18, 19))
    )
    columns = []
    for words in (lower, upper):
        first, second = (b.shuffle(groups[each], groups[each + 1], words) for each in (0, 2))
        columns += [b.shuffle(first, second, lanes) for lanes in (pairs, others)]
    return columns
