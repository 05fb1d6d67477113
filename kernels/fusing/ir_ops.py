"""Turns a trace (`fourcc.kernels.fusing.ir`) into operations on vectors: one lane decodes the block of one row.

The bytes of sixteen rows lie interleaved in words of 32 bits (`fourcc.kernels.products.panels.interleave`): word w of a
part is 64 bytes, four of each row. An entry is a word, shifted and masked.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from functools import cache

import numpy as np

from fourcc.kernels.fusing.evaluation import evaluated
from fourcc.kernels.fusing.ir import Trace
from fourcc.kernels.fusing.ir_lowering import WORDS, Lowering
from fourcc.kernels.simd.builder import Builder, Value, addresses, everywhere, llvm_type, vector
from fourcc.kernels.simd.interpreted import Lanes, padded, read, widened
from fourcc.kernels.simd.load_wide import widened_float16
from fourcc.kernels.simd.memory import store
from fourcc.kernels.simd.operation import ADDRESS, FLOATS, INTEGER, INTS, Operation, operation
from fourcc.kernels.simd.partial import load_partial
from fourcc.kernels.simd.tiles import as_first, nothing

TOO_FEW = 8  # weights: if so few share a factor, it stays inside the sum, since a sum of their own would cost more


def name_of(trace: Trace, strides: Sequence[int]) -> str:
    """A name that no other trace has."""
    tables = [(str(table.dtype), table.tobytes()) for table in trace.tables]
    text = repr((trace.instructions, sorted(trace.results.items()), tables, strides))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def panel_operation(trace: Trace, strides: Sequence[int]) -> Operation:
    """The operation that writes a block of sixteen rows as a panel of floats: (pointers, block, out).

    Args:
        trace: of the block decoder.
        strides: bytes from one block to the next in each part; 0 for a part of the row, which all blocks share.
    """

    @operation(returns=nothing)
    def write_panel(pointers: int, block: int, out: int) -> None:
        for column, weights in evaluated(trace, strides, pointers, block).items():
            store(out + 64 * column, weights)

    @write_panel.lowered
    def _(b: Builder, pointers: Value, block: Value, out: Value) -> None:
        lowering = Lowering(b, trace, strides, pointers, block)
        for column, number in sorted(trace.results.items()):
            b.store_to(b.plus(out, 64 * column), lowering.value(number))

    write_panel.meaning.__qualname__ = f"write_panel_{name_of(trace, strides)}"
    return write_panel


def product_operation(trace: Trace, strides: Sequence[int], columns: int) -> Operation:
    """The operation that adds a block's products with activations: (totals, pointers, block, x, stride) -> totals.

    An activation has several sums, which take its products in turn: those of the first weight go to the first sum,
    those of the second weight to the second. The totals hold the first sum of every activation, then the second of
    every activation, and so on.

    Args:
        trace: of the block decoder.
        strides: bytes from one block to the next in each part; 0 for a part of the row, which all blocks share.
        columns: number of activations.
    """

    @operation(returns=as_first)
    def add_products(totals: Lanes, pointers: int, block: int, x: int, stride: int) -> Lanes:
        sums = totals.copy()
        for column, weights in evaluated(trace, strides, pointers, block).items():
            first = columns * column % len(sums)
            for each in range(columns):
                sums[first + each] += weights * read(x + each * stride + 4 * column, "<f4", 1)
        return sums

    @add_products.lowered
    def _(b: Builder, totals: Value, pointers: Value, block: Value, x: Value, stride: Value) -> Value:
        lowering, sums = Lowering(b, trace, strides, pointers, block), b.columns(totals)
        activations = addresses(b, x, stride, columns)
        for factor, products in common_factors(trace):
            before = sums
            if factor is not None:
                sums = [b.constant(llvm_type(FLOATS), 0.0)] * len(before)
            for column, number in products.items():
                for sum_of, at in enumerate(activations, columns * column % len(sums)):
                    value = everywhere(b, b.plus(at, 4 * column))
                    sums[sum_of] = b.multiply_add(lowering.value(number), value, sums[sum_of])
            if factor is not None:
                scale = lowering.value(factor)
                sums = [b.multiply_add(scale, each, total) for each, total in zip(sums, before, strict=True)]
        return b.tile(sums)

    add_products.meaning.__qualname__ = f"add_products_{name_of(trace, strides)}_{columns}"
    return add_products


@cache
def wide_entries(dtype: str) -> tuple[Operation, Operation]:
    """The operations (address) and (address, count) that widen 16 numbers, or `count` and then zeros, to 32 bits."""
    given = np.dtype(dtype)
    kind = FLOATS if given.kind == "f" else INTS

    def as_wide(values: Lanes) -> Lanes:
        wide: Lanes = widened(values) if given.kind == "f" else values.astype(np.int32)
        return wide

    def extended(b: Builder, narrow: Value) -> Value:
        if given.itemsize == 4:
            return b.bitcast(narrow, llvm_type(kind))
        if given.kind == "f":
            return widened_float16(b, narrow)
        return (b.zext if given.kind == "u" else b.sext)(narrow, WORDS)

    stored = vector(f"i{8 * given.itemsize}", 16)

    @operation(ADDRESS, returns=kind)
    def load_entries(address: int) -> Lanes:
        return as_wide(read(address, dtype, 16))

    @load_entries.lowered
    def _(b: Builder, address: Value) -> Value:
        return extended(b, b.load_from(address, stored))

    @operation(ADDRESS, INTEGER, returns=kind)
    def load_some_entries(address: int, count: int) -> Lanes:
        return as_wide(padded(read(address, dtype, count), 16))

    @load_some_entries.lowered
    def _(b: Builder, address: Value, count: Value) -> Value:
        return extended(b, load_partial(b, address, count, stored, given.itemsize))

    for each in (load_entries, load_some_entries):
        each.meaning.__qualname__ = f"{each.meaning.__name__}_{given.str}"
    return load_entries, load_some_entries


def common_factors(trace: Trace) -> list[tuple[int | None, dict[int, int]]]:
    """Groups the block's columns by the last factor of their weights, which is often a scale.

    A product takes the common factor out of the sum of its columns, which saves one multiplication a weight.

    Returns:
        Pairs: the instruction of a factor, and for its columns the instruction of the other factor. The pair with None
        has the instructions of the weights that share their factor with too few others.
    """
    counts = Counter(each for number in trace.results.values() for each in _factors(trace, number))
    groups: dict[int | None, dict[int, int]] = {}
    for column, number in sorted(trace.results.items()):
        factors = _factors(trace, number)
        factor = max(factors, key=lambda each: (counts[each], -each), default=None)
        if factor is None or counts[factor] <= TOO_FEW:
            groups.setdefault(None, {})[column] = number
        else:
            left, right = trace.instructions[number].arguments
            groups.setdefault(factor, {})[column] = right if left == factor else left
    return list(groups.items())


def _factors(trace: Trace, number: int) -> set[int]:
    """The instructions of the two factors, if an instruction is a product of floats."""
    instruction = trace.instructions[number]
    return set(instruction.arguments) if instruction.name == "mul" and instruction.kind == "float" else set()
