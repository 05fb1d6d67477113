"""Tiles: for each of some activations (columns) a vector of 16 rows, all of them in registers.

A tile's operations are unrolled over its columns when they are built, so that kernels need no generated source.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fourcc.kernels.simd.arithmetic import multiply_add, sum_floats
from fourcc.kernels.simd.builder import ELEMENTS, Builder, Value, llvm_type, vector
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
def dot_columns(totals: Lanes, weights: Lanes, x: int, step: int) -> Lanes:
    """To each column the products of four bytes of every row with the four at its place in x.

    Args:
        totals: int32 tile.
        weights: bytes as for `dot`, four of each row.
        x: address of the first column's four bytes.
        step: bytes from one column to the next.
    """
    spread = [np.tile(read(x + column * step, "|i1", 4), 16) for column in range(len(totals))]
    return np.stack([dot(total, weights, each) for total, each in zip(totals, spread, strict=True)])


@dot_columns.lowered
def _(b: Builder, totals: Value, weights: Value, x: Value, step: Value) -> Value:
    made = []
    for total, address in zip(b.columns(totals), addresses(b, x, step, totals.type.count), strict=True):
        four = b.splat(b.load_from(address, ELEMENTS["i32"]), 16)
        made.append(dot_bytes(b, total, weights, b.bitcast(four, vector("i8", 64))))
    return b.tile(made)


@operation(returns=as_first)
def scale_columns(totals: Lanes, dots: Lanes, scales: Lanes, steps: int, offsets: int, step: int) -> Lanes:
    """Totals + scales * (dots * s + o) for each column, s and o floats at its place.

    Args:
        totals: float tile.
        dots: int32 tile.
        scales: of the rows.
        steps: address of the first column's s.
        offsets: address of its o.
        step: bytes from one column to the next.
    """
    made = []
    for column, (total, each) in enumerate(zip(totals, dots, strict=True)):
        s, o = (read(address + column * step, "<f4", 1) for address in (steps, offsets))
        made.append(multiply_add(scales, multiply_add(each.astype(np.float32), s, o), total))
    return np.stack(made)


@scale_columns.lowered
def _(b: Builder, totals: Value, dots: Value, scales: Value, steps: Value, offsets: Value, step: Value) -> Value:
    made = []
    count = totals.type.count
    places = zip(addresses(b, steps, step, count), addresses(b, offsets, step, count), strict=True)
    for total, each, (s, o) in zip(b.columns(totals), b.columns(dots), places, strict=True):
        inner = b.multiply_add(b.sitofp(each, llvm_type(FLOATS)), everywhere(b, s), everywhere(b, o))
        made.append(b.multiply_add(scales, inner, total))
    return b.tile(made)


@operation(returns=as_first)
def multiply_add_columns(totals: Lanes, weights: Lanes, x: int, step: int) -> Lanes:
    """Totals + weights * x for each column, x the float at its place.

    Args:
        totals: float tile.
        weights: one of each row.
        x: address of the first column's float.
        step: bytes from one column to the next.
    """
    each = [read(x + column * step, "<f4", 1) for column in range(len(totals))]
    return np.stack([multiply_add(weights, value, total) for total, value in zip(totals, each, strict=True)])


@multiply_add_columns.lowered
def _(b: Builder, totals: Value, weights: Value, x: Value, step: Value) -> Value:
    places = addresses(b, x, step, totals.type.count)
    return b.tile(
        [
            b.multiply_add(weights, everywhere(b, place), total)
            for total, place in zip(b.columns(totals), places, strict=True)
        ]
    )


@operation(returns=as_first)
def multiply_add_pairs(totals: Lanes, weights: Lanes, x: int, step: int) -> Lanes:
    """Totals + weights * x for each column, two products a lane: numbers are bfloat16, denormal ones may count as 0.

    Args:
        totals: float tile.
        weights: int32, two neighbours of each row, the first one in the low half.
        x: address of the first column's two.
        step: bytes from one column to the next.
    """
    low, high = _halves(weights)
    made = []
    for column, total in enumerate(totals):
        first, second = _halves(read(x + column * step, "<i4", 1))
        made.append(multiply_add(high, second, multiply_add(low, first, total)))
    return np.stack(made)


def _halves(words: Lanes) -> tuple[Lanes, Lanes]:
    """Low and high bfloat16 of 32-bit words, as float32."""
    bits = words.view(np.uint32)
    return (bits << np.uint32(16)).view(np.float32), (bits & np.uint32(0xFFFF0000)).view(np.float32)


@multiply_add_pairs.lowered
def _(b: Builder, totals: Value, weights: Value, x: Value, step: Value) -> Value:
    places = addresses(b, x, step, totals.type.count)
    made = []
    for total, place in zip(b.columns(totals), places, strict=True):
        pair = b.splat(b.load_from(place, ELEMENTS["i32"]), 16)
        made.append(_multiply_add_pair(b, weights, pair, total))
    return b.tile(made)


def _multiply_add_pair(b: Builder, weights: Value, pair: Value, total: Value) -> Value:
    if b.target.name == "avx512" and multiplies_bfloat16s():
        brains = vector("bf16", 32)
        numbers = (b.bitcast(each, brains) for each in (weights, pair))
        return b.call("llvm.x86.avx512bf16.dpbf16ps.512", total.type, total, *numbers)
    for weight, x in zip(_split_halves(b, weights), _split_halves(b, pair), strict=True):
        total = b.multiply_add(weight, x, total)
    return total


def _split_halves(b: Builder, words: Value) -> tuple[Value, Value]:
    """`_halves`."""
    floats = llvm_type(FLOATS)
    low = b.shl(words, b.constant(words.type, 16))
    return b.bitcast(low, floats), b.bitcast(b.and_(words, b.constant(words.type, -1 << 16)), floats)


@operation(returns=as_first)
def multiply_add_runs(totals: Lanes, weights: Lanes, x: int, step: int) -> Lanes:
    """For each column totals + weights * x, x the sixteen floats at its place.

    Args:
        totals: float tile.
        weights: sixteen neighbours of one row.
        x: address of the first column's floats.
        step: bytes from one column to the next.
    """
    runs = [read(x + column * step, "<f4", 16) for column in range(len(totals))]
    return np.stack([multiply_add(weights, run, total) for total, run in zip(totals, runs, strict=True)])


@multiply_add_runs.lowered
def _(b: Builder, totals: Value, weights: Value, x: Value, step: Value) -> Value:
    places = addresses(b, x, step, totals.type.count)
    runs = zip(b.columns(totals), places, strict=True)
    return b.tile([b.multiply_add(weights, b.load_from(place, llvm_type(FLOATS)), total) for total, place in runs])


def _row_products(load: Operation, build: Callable[[Builder, Value], Value]) -> Operation:
    @operation(returns=as_first)
    def multiply_add_rows(totals: Lanes, weights: int, step: int, x: Lanes) -> Lanes:
        """Totals + weights * x for each column, which is a row of the matrix here.

        Args:
            totals: float tile.
            weights: address of the first row's sixteen numbers.
            step: bytes from one row to the next.
            x: sixteen floats.
        """
        rows = [load(weights + row * step) for row in range(len(totals))]
        return np.stack([multiply_add(row, x, total) for total, row in zip(totals, rows, strict=True)])

    @multiply_add_rows.lowered
    def _(b: Builder, totals: Value, weights: Value, step: Value, x: Value) -> Value:
        places = addresses(b, weights, step, totals.type.count)
        rows = zip(b.columns(totals), places, strict=True)
        return b.tile([b.multiply_add(build(b, place), x, total) for total, place in rows])

    multiply_add_rows.meaning.__qualname__ = f"multiply_add_rows_of_{load.meaning.__name__}"
    return multiply_add_rows


SIXTEEN = vector("i16", 16)
# By the load that widens a row's numbers.
row_products = {
    "floats": _row_products(load_floats, lambda b, place: b.load_from(place, llvm_type(FLOATS))),
    "float16s": _row_products(load_float16s, lambda b, place: widened_float16(b, b.load_from(place, SIXTEEN))),
    "bfloat16s": _row_products(load_bfloat16s, lambda b, place: widened_bfloat16(b, b.load_from(place, SIXTEEN))),
}


@operation(returns=nothing)
def store_column_sums(address: int, step: int, tile: Lanes) -> None:
    """Stores the sum of each column's lanes, `step` bytes apart."""
    for column, each in enumerate(tile):
        write(address + column * step, np.float32(sum_floats(each)))


@store_column_sums.lowered
def _(b: Builder, address: Value, step: Value, tile: Value) -> None:
    for place, each in zip(addresses(b, address, step, tile.type.count), b.columns(tile), strict=True):
        while each.type.count > 1:
            low, high = b.split(each, 2)
            each = b.fadd(low, high)  # noqa: PLW2901 - halved until one is left
        b.store_to(place, b.extract_element(each, b.int32(0)))


@operation(returns=lambda tile: OperandKind(tile.element, tile.lanes, tile.columns // 2))
def halve_columns(tile: Lanes) -> Lanes:
    """The first half of a tile's columns, each added to its twin in the second half."""
    return tile[: len(tile) // 2] + tile[len(tile) // 2 :]


@halve_columns.lowered
def _(b: Builder, tile: Value) -> Value:
    columns, half = b.columns(tile), tile.type.count // 2
    return b.tile([b.fadd(low, high) for low, high in zip(columns[:half], columns[half:], strict=True)])


@operation(returns=nothing)
def store_columns(address: int, step: int, tile: Lanes) -> None:
    """Stores each column's 16 floats, `step` bytes apart."""
    for column, each in enumerate(tile):
        write(address + column * step, each)


@store_columns.lowered
def _(b: Builder, address: Value, step: Value, tile: Value) -> None:
    for place, each in zip(addresses(b, address, step, tile.type.count), b.columns(tile), strict=True):
        b.store_to(place, each)


@operation(returns=nothing)
def store_some_columns(address: int, step: int, tile: Lanes, count: int) -> None:
    """Stores the first `count` (1 .. 16) floats of each column, `step` bytes apart."""
    for column, each in enumerate(tile):
        write(address + column * step, each[:count])


@store_some_columns.lowered
def _(b: Builder, address: Value, step: Value, tile: Value, count: Value) -> None:
    with b.goto_entry_block():
        slot = b.alloca(llvm_type(FLOATS))
    raw = ELEMENTS["i8"].as_pointer()
    length = b.mul(count, b.constant(ELEMENTS["i64"], 4))
    for place, each in zip(addresses(b, address, step, tile.type.count), b.columns(tile), strict=True):
        b.store(each, slot)
        arguments = (b.inttoptr(place, raw), b.bitcast(slot, raw), length, b.constant(ELEMENTS["i1"], 0))
        b.call("llvm.memcpy.p0.p0.i64", ELEMENTS["void"], *arguments)


def addresses(b: Builder, first: Value, step: Value, count: int) -> list[Value]:
    """`count` addresses, `step` bytes apart."""
    made = [first]
    for _ in range(count - 1):
        made.append(b.add(made[-1], step))
    return made


def everywhere(b: Builder, address: Value) -> Value:
    """The float at an address in all lanes."""
    return b.splat(b.load_from(address, ELEMENTS["f32"]), 16)
