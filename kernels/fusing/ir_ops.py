"""Traces (`fourcc.kernels.fusing.ir`) as operations on vectors: each lane decodes the block of another row.

The bytes of sixteen rows lie interleaved in words of 32 bits (`fourcc.kernels.products.panels.interleave`): word w of a
part is 64 bytes, four of each row. An entry is a word, shifted and masked.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np

from fourcc.kernels.fusing.ir import Step, Trace
from fourcc.kernels.fusing.ir_lowering import REGISTERS, WORDS, Lowering
from fourcc.kernels.simd.builder import Builder, Value, llvm_type, vector
from fourcc.kernels.simd.interpreted import Lanes, padded, read, widened
from fourcc.kernels.simd.load_wide import widened_float16
from fourcc.kernels.simd.memory import load_word, store
from fourcc.kernels.simd.operation import ADDRESS, FLOATS, INTEGER, INTS, Operation, operation
from fourcc.kernels.simd.partial import load_partial
from fourcc.kernels.simd.tiles import addresses, as_first, everywhere, nothing

WORTH = 8  # weights: a factor of no more is not taken out of their sum, which would begin and end too often


def name_of(trace: Trace, sizes: Sequence[int]) -> str:
    """A name that no other trace has."""
    tables = [(str(table.dtype), table.tobytes()) for table in trace.tables]
    told = repr((trace.steps, sorted(trace.results.items()), tables, sizes))
    return hashlib.blake2b(told.encode(), digest_size=8).hexdigest()


def panel_operation(trace: Trace, sizes: Sequence[int]) -> Operation:
    """The operation that writes a block of sixteen rows as a panel of floats: (sources, block, out).

    Args:
        trace: of the block's decoder.
        sizes: bytes of a block in each part; 0 of a part of the row, which has one place for all blocks.
    """

    @operation(returns=nothing)
    def write_panel(sources: int, block: int, out: int) -> None:
        for column, weights in _evaluated(trace, sizes, sources, block).items():
            store(out + 64 * column, weights)

    @write_panel.lowered
    def _(b: Builder, sources: Value, block: Value, out: Value) -> None:
        lowering = Lowering(b, trace, sizes, sources, block)
        for column, number in sorted(trace.results.items()):
            b.store_to(b.plus(out, 64 * column), lowering.value(number))

    write_panel.meaning.__qualname__ = f"write_panel_{name_of(trace, sizes)}"
    return write_panel


def product_operation(trace: Trace, sizes: Sequence[int], columns: int) -> Operation:
    """The operation that adds a block's products with some activations: (totals, sources, block, x, step) -> totals.

    A weight's products go into one of several sums of each activation, those of the next weight into the next sums. Of
    the totals, the first ones are the first sum of each activation, the following ones their second, and so on.

    Args:
        trace: of the block's decoder.
        sizes: bytes of a block in each part; 0 of a part of the row, which has one place for all blocks.
        columns: activations.
    """

    @operation(returns=as_first)
    def add_products(totals: Lanes, sources: int, block: int, x: int, step: int) -> Lanes:
        made = totals.copy()
        for column, weights in _evaluated(trace, sizes, sources, block).items():
            first = columns * column % len(made)
            for each in range(columns):
                made[first + each] += weights * read(x + each * step + 4 * column, "<f4", 1)
        return made

    @add_products.lowered
    def _(b: Builder, totals: Value, sources: Value, block: Value, x: Value, step: Value) -> Value:
        lowering, sums = Lowering(b, trace, sizes, sources, block), b.columns(totals)
        activations = addresses(b, x, step, columns)
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

    add_products.meaning.__qualname__ = f"add_products_{name_of(trace, sizes)}_{columns}"
    return add_products


@cache
def wide_entries(dtype: str) -> tuple[Operation, Operation]:
    """The operations that load 16 numbers, or (address, count) some and then zeros, in 32 bits each."""
    given = np.dtype(dtype)
    kind = FLOATS if given.kind == "f" else INTS

    def as_wide(values: Lanes) -> Lanes:
        made: Lanes = widened(values) if given.kind == "f" else values.astype(np.int32)
        return made

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
    """The block's columns by what their weights are multiplied by last, as a scale is.

    A product may take such a factor out of the sum of its columns: that is one multiplication less for each weight.

    Returns:
        For each factor its step, and for each of its columns the step of the other one; under None the steps of those
        weights that share theirs with too few others.
    """
    counts = Counter(each for number in trace.results.values() for each in _factors(trace, number))
    groups: dict[int | None, dict[int, int]] = {}
    for column, number in sorted(trace.results.items()):
        factors = _factors(trace, number)
        factor = max(factors, key=lambda each: (counts[each], -each), default=None)
        if factor is None or counts[factor] <= WORTH:
            groups.setdefault(None, {})[column] = number
        else:
            left, right = trace.steps[number].arguments
            groups.setdefault(factor, {})[column] = right if left == factor else left
    return list(groups.items())


def _factors(trace: Trace, number: int) -> set[int]:
    """The steps whose product a step is, if it is one of floats."""
    step = trace.steps[number]
    return set(step.arguments) if step.name == "mul" and step.kind == "float" else set()


# -- as Python


def _evaluated(trace: Trace, sizes: Sequence[int], sources: int, block: int) -> dict[int, Lanes]:
    """The weights of each column, 16 rows each."""
    values: list[Lanes] = []
    with np.errstate(all="ignore"):
        for step in trace.steps:
            values.append(_evaluate(step, trace, values, sizes, sources, block))
    return {column: values[number].astype(np.float32) for column, number in trace.results.items()}


PYTHON: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "truediv": lambda x, y: x / y,
    "and": lambda x, y: x & y,
    "or": lambda x, y: x | y,
    "xor": lambda x, y: x ^ y,
    "rshift": lambda x, y: x >> y,
    "lshift": lambda x, y: x << y,
}
LANES = {"int": np.int32, "uint": np.uint32, "low": np.uint32, "float": np.float32}
WIDE = {"int": "<i4", "uint": "<u4", "float": "<f4"}


def _evaluate(  # noqa: PLR0911 - one a kind of step
    step: Step, trace: Trace, values: list[Lanes], sizes: Sequence[int], sources: int, block: int
) -> Lanes:
    kind = LANES[step.kind]
    match step.name, step.arguments:
        case "constant", (number,):
            return np.full(16, number).astype(kind)
        case "to_float", (number,):
            floats: Lanes = values[number].astype(np.float32)
            return floats
        case "load", (part, dtype, offset):
            return _gathered(load_word(sources + 8 * part), block * sizes[part] + offset, dtype).astype(kind)
        case "part_entry", (part, dtype, offset):
            return np.repeat(read(load_word(sources + 8 * part) + offset, dtype, 1), 16).astype(kind)
        case "table", (table, number):
            return _chosen(trace.tables[table], values[number])
        case "part_table", (part, _, count, number):
            return _chosen(read(load_word(sources + 8 * (len(sizes) + part)), WIDE[step.kind], count), values[number])
    left, right = (values[number] for number in step.arguments)
    if step.kind != "float" and step.name != "rshift":
        left = left.astype(np.uint32)  # the lowest 32 bits, of either sign
    made: Lanes = PYTHON[step.name](left, right.astype(left.dtype)).astype(kind)
    return made


def _chosen(table: Lanes, index: Lanes) -> Lanes:
    """Entries of a table; an index beyond the end, as damage makes, takes the last, or wraps around in 16 or 32."""
    wrapped = index & (len(table) - 1) if len(table) in REGISTERS else index
    chosen: Lanes = table[np.minimum(wrapped.astype(np.uint32), len(table) - 1)]
    return chosen


def _gathered(base: int, offset: int, dtype: str) -> Lanes:
    """The entry of each of 16 rows at a byte offset of interleaved words."""
    size = np.dtype(dtype).itemsize
    first, last = offset // 4, (offset + size - 1) // 4
    words = np.stack([read(base + 64 * word, "<u4", 16) for word in range(first, last + 1)], axis=1)
    raw = np.ascontiguousarray(words).view(np.uint8)[:, offset % 4 : offset % 4 + size]
    return np.ascontiguousarray(raw).view(dtype)[:, 0]
