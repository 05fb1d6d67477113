"""Evaluates the instructions of a trace in Python, sixteen rows at once: what every instruction means."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fourcc.kernels.fusing.ir import READS, Instruction, Trace
from fourcc.kernels.simd.interpreted import Lanes, read
from fourcc.kernels.simd.memory import load_word

LANES = {"int": np.int32, "uint": np.uint32, "low": np.uint32, "float": np.float32, "truth": np.bool_}
WIDE = {"int": "<i4", "uint": "<u4", "float": "<f4"}


def minimum(x: Lanes, y: Lanes) -> Lanes:
    """The smaller one; of floats NaN, if one is NaN, and the first, if they are equal."""
    return np.where((x <= y) | (x != x), x, y)  # noqa: PLR0124 - NaN


def maximum(x: Lanes, y: Lanes) -> Lanes:
    """The larger one, likewise."""
    return np.where((x >= y) | (x != x), x, y)  # noqa: PLR0124 - NaN


def _quotient(x: Lanes, y: Lanes) -> Lanes:
    """The whole quotient, rounded down; the operands may be signed and unsigned."""
    return x.astype(np.int64) // y.astype(np.int64)


# Name -> what it makes of lanes; integers may be longer than 32 bits here, of which the lowest remain.
MEANINGS: dict[str, Callable[..., Any]] = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "mul": lambda x, y: x * y,
    "truediv": lambda x, y: x / y,
    "floordiv": _quotient,
    "and": lambda x, y: x & y,
    "or": lambda x, y: x | y,
    "xor": lambda x, y: x ^ y,
    "rshift": lambda x, y: x >> y.astype(x.dtype),
    "lshift": lambda x, y: x << y,
    "abs": np.abs,
    "min": minimum,
    "max": maximum,
    **dict.fromkeys(("smin", "umin"), np.minimum),
    **dict.fromkeys(("smax", "umax"), np.maximum),
    **dict.fromkeys(("flt", "slt", "ult"), np.less),
    **dict.fromkeys(("fle", "sle", "ule"), np.less_equal),
    **dict.fromkeys(("feq", "eq"), np.equal),
    **dict.fromkeys(("fne", "ne"), np.not_equal),
    "select": np.where,
    "to_float": lambda x: x.astype(np.float32),
    "to_int": lambda x: x,
}
LOWEST_BITS = {"add", "sub", "mul", "and", "or", "xor", "lshift"}  # of the result need those of the operands alone


def evaluated(trace: Trace, strides: Sequence[int], pointers: int, block: int) -> dict[int, Lanes]:
    """The weights of sixteen rows, by column.

    Args:
        trace: of the block decoder.
        strides: bytes from one block to the next in each part.
        pointers: address of the parts' addresses.
        block: number of the block.
    """
    values: list[Lanes] = []
    with np.errstate(all="ignore"):
        for instruction in trace.instructions:
            if instruction.name in READS:
                made = _read(instruction, trace, values, strides, pointers, block)
            else:
                made = computed(instruction, [values[each] for each in instruction.arguments])
            values.append(made.astype(LANES[instruction.kind]))
    return {column: values[number].astype(np.float32) for column, number in trace.results.items()}


def computed(instruction: Instruction, operands: Sequence[Lanes]) -> Lanes:
    """The result of an instruction that reads nothing but the results of others."""
    if instruction.kind not in {"float", "truth"} and instruction.name in LOWEST_BITS:
        operands = [each.astype(np.uint32) for each in operands]  # whatever the sign
    result: Lanes = MEANINGS[instruction.name](*operands)
    return result


def _read(  # noqa: PLR0911 - one for each name
    instruction: Instruction, trace: Trace, values: list[Lanes], strides: Sequence[int], pointers: int, block: int
) -> Lanes:
    match instruction.name, instruction.arguments:
        case "constant", (number,):
            return np.full(16, number)
        case "load", (part, dtype, offset):
            return _gathered(load_word(pointers + 8 * part), block * strides[part] + offset, dtype)
        case "bits", (part, bit, size):
            byte, shift = divmod(bit, 8)
            at = block * strides[part] + byte
            last = 1 if shift + size > 8 else 0
            low, high = (_gathered(load_word(pointers + 8 * part), at + each, "|u1").astype(int) for each in (0, last))
            code: Lanes = (low | high << 8 * last) >> shift & (1 << size) - 1
            return code
        case "digit", (part, offset, divisor, base):
            byte = _gathered(load_word(pointers + 8 * part), block * strides[part] + offset, "|u1").astype(np.int32)
            value: Lanes = byte // divisor % base
            return value
        case "part_entry", (part, dtype, offset):
            return np.repeat(read(load_word(pointers + 8 * part) + offset, dtype, 1), 16)
        case "table", (table, number):
            return chosen(trace.tables[table], values[number])
        case "part_table", (part, _, count, number):
            table_address = load_word(pointers + 8 * (len(strides) + part))
            return chosen(read(table_address, WIDE[instruction.kind], count), values[number])
    raise ValueError(instruction.name)


def chosen(table: Lanes, index: Lanes) -> Lanes:
    """Entries of a table: an index counts modulo 2^k where there are 2^k, else one beyond the end takes the last."""
    if len(table) & (len(table) - 1) == 0:
        index = index & (len(table) - 1)
    chosen: Lanes = table[np.minimum(index.astype(np.uint32), len(table) - 1)]
    return chosen


def _gathered(base: int, offset: int, dtype: str) -> Lanes:
    """The entries of sixteen rows at a byte offset in interleaved words."""
    size = np.dtype(dtype).itemsize
    first, last = offset // 4, (offset + size - 1) // 4
    words = np.stack([read(base + 64 * word, "<u4", 16) for word in range(first, last + 1)], axis=1)
    raw = np.ascontiguousarray(words).view(np.uint8)[:, offset % 4 : offset % 4 + size]
    return np.ascontiguousarray(raw).view(dtype)[:, 0]
