"""Tiles: one vector of 16 rows for every activation (column), all in registers.

The lowering unrolls a tile's operations over its columns, so kernels need no generated source.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fourcc.kernels.simd.arithmetic import multiply_add, sum_floats
from fourcc.kernels.simd.builder import ELEMENTS, Builder, Value, addresses, everywhere, llvm_type, vector
from fourcc.kernels.simd.dot import dot, dot_bytes
from fourcc.kernels.simd.interpreted import Lanes, read, write
from fourcc.kernels.simd.load_wide import load_bfloat16s, load_float16s, widened_bfloat16, widened_float16
from fourcc.kernels.simd.memory import load_floats
from fourcc.kernels.simd.operation import FLOATS, NOTHING, OperandKind, Operation, operation
from fourcc.kernels.simd.target import multiplies_bfloat16s


def _zeros(element: str, columns: int) -> Operation:
    kind = OperandKind(element, 16, columns)
    dtype = {"f32": np.float32, "i32": np.int32}[element]

    @operation(returns=kind)
    def zeros() -> Lanes:
        return np.zeros((columns, 16), dtype)

    @zeros.lowered
    def _(b: Builder) -> Value:
        return b.constant(llvm_type(kind), None)

    zeros.meaning.__qualname__ = f"zeros_{element}_{columns}"
    return zeros


WIDTHS = (1, 2, 4, 6, 8, 12)
no_float_columns = {columns: _zeros("f32", columns) for columns in WIDTHS}
no_int_columns = {columns: _zeros("i32", columns) for columns in WIDTHS}


def as_first(first: OperandKind, *_: OperandKind) -> OperandKind:
    """The kind of an operation's first argument."""
    return first


def nothing(*_: OperandKind) -> OperandKind:
    """The kind of an operation that returns nothing."""
    return NOTHING


@operation(returns=as_first)
def dot_columns(totals: Lanes, weights: Lanes, x: int, stride: int) -> Lanes:
    """Adds to every column the dot products of four bytes of every row with the column's four bytes of x.

    Args:
        totals: int32 tile.
        weights: bytes as for `dot`, four of each row.
        x: address of the first column's four bytes.
        stride: bytes from one column to the next.
    """
    repeated = [np.tile(read(x + column * stride, "|i1", 4), 16) for column in range(len(totals))]
    return np.stack([dot(total, weights, each) for total, each in zip(totals, repeated, strict=True)])


@dot_columns.lowered
def _(b: Builder, totals: Value, weights: Value, x: Value, stride: Value) -> Value:
    columns = []
    for total, address in zip(b.columns(totals), addresses(b, x, stride, totals.type.count), strict=True):
        four = b.splat(b.load_from(address, ELEMENTS["i32"]), 16)
        columns.append(dot_bytes(b, total, weights, b.bitcast(four, vector("i8", 64))))
    return b.tile(columns)


@operation(returns=as_first)
def scale_columns(totals: Lanes, dots: Lanes, scales: Lanes, x_scales: int, corrections: int, stride: int) -> Lanes:
    """totals + scales * (dots * s + c) in every column, where s and c are the column's floats.

    Args:
        totals: float tile.
        dots: int32 tile.
        scales: of the rows.
        x_scales: address of the first column's s, the scale of its activation.
        corrections: address of the first column's c, which corrects for a zero point.
        stride: bytes from one column to the next.
    """
    columns = []
    for column, (total, each) in enumerate(zip(totals, dots, strict=True)):
        s, c = (read(address + column * stride, "<f4", 1) for address in (x_scales, corrections))
        columns.append(multiply_add(scales, multiply_add(each.astype(np.float32), s, c), total))
    return np.stack(columns)


@scale_columns.lowered
def _(
    b: Builder, totals: Value, dots: Value, scales: Value, x_scales: Value, corrections: Value, stride: Value
) -> Value:
    columns, count = [], totals.type.count
    places = zip(addresses(b, x_scales, stride, count), addresses(b, corrections, stride, count), strict=True)
    for total, each, (s, c) in zip(b.columns(totals), b.columns(dots), places, strict=True):
        inner = b.multiply_add(b.sitofp(each, llvm_type(FLOATS)), everywhere(b, s), everywhere(b, c))
        columns.append(b.multiply_add(scales, inner, total))
    return b.tile(columns)


@operation(returns=as_first)
def multiply_add_columns(totals: Lanes, weights: Lanes, x: int, stride: int) -> Lanes:
    """totals + weights * x in every column, where x is the column's float.

    Args:
        totals: float tile.
        weights: one of each row.
        x: address of the first column's float.
        stride: bytes from one column to the next.
    """
    values = [read(x + column * stride, "<f4", 1) for column in range(len(totals))]
    return np.stack([multiply_add(weights, value, total) for total, value in zip(totals, values, strict=True)])


@multiply_add_columns.lowered
def _(b: Builder, totals: Value, weights: Value, x: Value, stride: Value) -> Value:
    places = addresses(b, x, stride, totals.type.count)
    return b.tile(
        [
            b.multiply_add(weights, everywhere(b, place), total)
            for total, place in zip(b.columns(totals), places, strict=True)
        ]
    )


@operation(returns=as_first)
def multiply_add_pairs(totals: Lanes, weights: Lanes, x: int, stride: int) -> Lanes:
    """totals + weights * x in every column, two bfloat16 products a lane; denormal bfloat16 may count as 0.

    Args:
        totals: float tile.
        weights: int32, two neighbouring bfloat16 of each row, the first one in the low half.
        x: address of the first column's two bfloat16.
        stride: bytes from one column to the next.
    """
    low, high = _halves(weights)
    columns = []
    for column, total in enumerate(totals):
        first, second = _halves(read(x + column * stride, "<i4", 1))
        columns.append(multiply_add(high, second, multiply_add(low, first, total)))
    return np.stack(columns)


def _halves(words: Lanes) -> tuple[Lanes, Lanes]:
    """The low and the high bfloat16 of 32-bit words, as float32."""
    bits = words.view(np.uint32)
    return (bits << np.uint32(16)).view(np.float32), (bits & np.uint32(0xFFFF0000)).view(np.float32)


@multiply_add_pairs.lowered
def _(b: Builder, totals: Value, weights: Value, x: Value, stride: Value) -> Value:
    places = addresses(b, x, stride, totals.type.count)
    columns = []
    for total, place in zip(b.columns(totals), places, strict=True):
        pair = b.splat(b.load_from(place, ELEMENTS["i32"]), 16)
        columns.append(_multiply_add_pair(b, weights, pair, total))
    return b.tile(columns)


def _multiply_add_pair(b: Builder, weights: Value, pair: Value, total: Value) -> Value:
    if b.target.name == "avx512" and multiplies_bfloat16s():
        brains = vector("bf16", 32)
        numbers = (b.bitcast(each, brains) for each in (weights, pair))
        return b.call("llvm.x86.avx512bf16.dpbf16ps.512", total.type, total, *numbers)
    for weight, x in zip(_split_halves(b, weights), _split_halves(b, pair), strict=True):
        total = b.multiply_add(weight, x, total)
    return total


def _split_halves(b: Builder, words: Value) -> tuple[Value, Value]:
    """The lowering of `_halves`."""
    floats = llvm_type(FLOATS)
    low = b.shl(words, b.constant(words.type, 16))
    return b.bitcast(low, floats), b.bitcast(b.and_(words, b.constant(words.type, -1 << 16)), floats)


@operation(returns=as_first)
def multiply_add_runs(totals: Lanes, weights: Lanes, x: int, stride: int) -> Lanes:
    """totals + weights * x in every column, where x are the column's sixteen floats.

    Args:
        totals: float tile.
        weights: sixteen neighbouring weights of one row.
        x: address of the first column's sixteen floats.
        stride: bytes from one column to the next.
    """
    runs = [read(x + column * stride, "<f4", 16) for column in range(len(totals))]
    return np.stack([multiply_add(weights, run, total) for total, run in zip(totals, runs, strict=True)])


@multiply_add_runs.lowered
def _(b: Builder, totals: Value, weights: Value, x: Value, stride: Value) -> Value:
    places = addresses(b, x, stride, totals.type.count)
    runs = zip(b.columns(totals), places, strict=True)
    return b.tile([b.multiply_add(weights, b.load_from(place, llvm_type(FLOATS)), total) for total, place in runs])


def _row_products(load: Operation, build: Callable[[Builder, Value], Value]) -> Operation:
    @operation(returns=as_first)
    def multiply_add_rows(totals: Lanes, weights: int, stride: int, x: Lanes) -> Lanes:
        """totals + weights * x in every column, which stands for a row of the matrix here.

        Args:
            totals: float tile.
            weights: address of the first row's sixteen numbers.
            stride: bytes from one row to the next.
            x: sixteen floats.
        """
        rows = [load(weights + row * stride) for row in range(len(totals))]
        return np.stack([multiply_add(row, x, total) for total, row in zip(totals, rows, strict=True)])

    @multiply_add_rows.lowered
    def _(b: Builder, totals: Value, weights: Value, stride: Value, x: Value) -> Value:
        places = addresses(b, weights, stride, totals.type.count)
        rows = zip(b.columns(totals), places, strict=True)
        return b.tile([b.multiply_add(build(b, place), x, total) for total, place in rows])

    multiply_add_rows.meaning.__qualname__ = f"multiply_add_rows_of_{load.meaning.__name__}"
    return multiply_add_rows


SIXTEEN = vector("i16", 16)
# Keyed by the load that widens a row's numbers.
row_products = {
    "floats": _row_products(load_floats, lambda b, place: b.load_from(place, llvm_type(FLOATS))),
    "float16s": _row_products(load_float16s, lambda b, place: widened_float16(b, b.load_from(place, SIXTEEN))),
    "bfloat16s": _row_products(load_bfloat16s, lambda b, place: widened_bfloat16(b, b.load_from(place, SIXTEEN))),
}


@operation(returns=nothing)
def store_column_sums(address: int, stride: int, tile: Lanes) -> None:
    """Stores the sums of the columns' lanes, `stride` bytes apart."""
    for column, each in enumerate(tile):
        write(address + column * stride, np.float32(sum_floats(each)))


@store_column_sums.lowered
def _(b: Builder, address: Value, stride: Value, tile: Value) -> None:
    for place, each in zip(addresses(b, address, stride, tile.type.count), b.columns(tile), strict=True):
        while each.type.count > 1:
            low, high = b.split(each, 2)
            each = b.fadd(low, high)  # noqa: PLW2901 - halved until one is left
        b.store_to(place, b.extract_element(each, b.int32(0)))


@operation(returns=lambda tile: OperandKind(tile.element, tile.lanes, tile.columns // 2))
def halve_columns(tile: Lanes) -> Lanes:
    """The sum of the first half of a tile's columns and the second half."""
    return tile[: len(tile) // 2] + tile[len(tile) // 2 :]


@halve_columns.lowered
def _(b: Builder, tile: Value) -> Value:
    columns, half = b.columns(tile), tile.type.count // 2
    return b.tile([b.fadd(low, high) for low, high in zip(columns[:half], columns[half:], strict=True)])


@operation(returns=nothing)
def store_columns(address: int, stride: int, tile: Lanes) -> None:
    """Stores the columns' 16 floats, `stride` bytes apart."""
    for column, each in enumerate(tile):
        write(address + column * stride, each)


@store_columns.lowered
def _(b: Builder, address: Value, stride: Value, tile: Value) -> None:
    for place, each in zip(addresses(b, address, stride, tile.type.count), b.columns(tile), strict=True):
        b.store_to(place, each)


@operation(returns=nothing)
def store_some_columns(address: int, stride: int, tile: Lanes, count: int) -> None:
    """Stores the first `count` (1 .. 16) floats of every column, `stride` bytes apart."""
    for column, each in enumerate(tile):
        write(address + column * stride, each[:count])


@store_some_columns.lowered
def _(b: Builder, address: Value, stride: Value, tile: Value, count: Value) -> None:
    with b.goto_entry_block():
        slot = b.alloca(llvm_type(FLOATS))
    raw = ELEMENTS["i8"].as_pointer()
    length = b.mul(count, b.constant(ELEMENTS["i64"], 4))
    for place, each in zip(addresses(b, address, stride, tile.type.count), b.columns(tile), strict=True):
        b.store(each, slot)
        arguments = (b.inttoptr(place, raw), b.bitcast(slot, raw), length, b.constant(ELEMENTS["i1"], 0))
        b.call("llvm.memcpy.p0.p0.i64", ELEMENTS["void"], *arguments)
