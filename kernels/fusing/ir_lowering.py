"""Lowers the instructions of a trace (`fourcc.kernels.fusing.ir`) to LLVM's, on vectors of sixteen rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fourcc.kernels.fusing.folding import listed_values, short_sources
from fourcc.kernels.fusing.ir import READS, Instruction, Trace
from fourcc.kernels.fusing.lookup_lowering import (
    address_of,
    constant_registers,
    gather,
    in_registers,
    look_up,
    period,
    stored_registers,
)
from fourcc.kernels.fusing.part_lowering import PartReader
from fourcc.kernels.simd.builder import Builder, Value, llvm_type, vector
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.operation import FLOATS, INTS

WORDS, REALS, TRUTHS = llvm_type(INTS), llvm_type(FLOATS), vector("i1", 16)
MOST_LISTED = 8  # tables of listed floats: more would not stay in registers
OF_FLOATS = {"add": "fadd", "sub": "fsub", "mul": "fmul", "truediv": "fdiv"}
OF_INTEGERS = {"and": "and_", "or": "or_", "lshift": "shl"}
COMPARED = {"lt": "<", "le": "<=", "eq": "==", "ne": "!="}


class Lowering:
    """Builds the instructions of a trace on demand, each once.

    Args:
        b: the builder to append to.
        trace: the instructions.
        strides: bytes from one block to the next in each part; 0 for a part of the row, which all blocks share.
        pointers: address of the parts' addresses.
        block: number of the block.
    """

    def __init__(self, b: Builder, trace: Trace, strides: Sequence[int], pointers: Value, block: Value) -> None:
        self._b, self._trace = b, trace
        self._parts = PartReader(b, strides, pointers, block)
        self._built: dict[int, Value] = {}
        self._sources = short_sources(trace) if b.target.name == "avx512" else [None] * len(trace.instructions)
        self._listed: dict[bytes, Lanes] = {}

    def value(self, number: int) -> Value:
        """The vector that an instruction computes; its operands are built first."""
        waiting = [number]
        while waiting:
            instruction = self._trace.instructions[waiting[-1]]
            if self._is_listed(waiting[-1]):
                waiting.pop()
                continue
            needed = () if instruction.name in READS else instruction.arguments  # a look-up builds its index itself
            missing = [each for each in needed if each not in self._built]
            if missing:
                waiting += missing
            else:
                last = waiting.pop()
                if last not in self._built:
                    self._built[last] = self._build(instruction)
        return self._built[number]

    def _is_listed(self, number: int) -> bool:
        """Builds a float that depends on one short code alone as a look-up, where that is shorter; whether it did."""
        instruction, source = self._trace.instructions[number], self._sources[number]
        if number in self._built or instruction.kind != "float" or source is None or instruction.name in READS:
            return False
        table = listed_values(self._trace, number, source)
        if table.tobytes() not in self._listed and len(self._listed) >= MOST_LISTED:
            return False
        self._listed[table.tobytes()] = table
        index = self._short_index(source, len(table))
        self._built[number] = look_up(self._b, constant_registers(self._b, table), index, period(len(table)))
        return True

    def _build(self, instruction: Instruction) -> Value:  # noqa: PLR0911 - one for each name
        parts = self._parts
        match instruction.name, instruction.arguments:
            case "constant", (number,):
                kind = {"float": REALS, "truth": TRUTHS}.get(instruction.kind, WORDS)
                return self._b.constant(kind, int(number) if kind is TRUTHS else number)
            case "load", (part, dtype, offset):
                return parts.entry(part, np.dtype(dtype), offset)
            case "bits", (part, bit, size):
                return parts.code(part, bit, size)
            case "digit", arguments:
                return parts.digit(*arguments, alone=True)
            case "part_entry", (part, dtype, offset):
                return parts.shared(part, np.dtype(dtype), offset)
            case "table" | "part_table", _:
                return self._chosen(instruction)
        if instruction.name == "floordiv":
            return self._quotient(instruction)
        return self._computed(instruction, [self._built[each] for each in instruction.arguments])

    def _computed(self, instruction: Instruction, operands: Sequence[Value]) -> Value:  # noqa: PLR0911 - one for each
        b, name = self._b, instruction.name
        if name == "select":
            return b.select(*operands)
        if name == "to_int":
            return b.zext(operands[0], WORDS)
        if name == "to_float":
            return (b.sitofp if self._kinds(instruction)[0] == "int" else b.uitofp)(operands[0], REALS)
        if name == "rshift":
            return (b.ashr if self._kinds(instruction)[0] == "int" else b.lshr)(*operands)
        if name in {"smin", "smax", "umin", "umax"}:
            return b.elementwise(name, *operands)
        if instruction.kind == "float":
            return self._float(name, *operands)
        if instruction.kind == "truth" and name not in {"and", "or", "xor"}:
            return self._compared(name, *operands)
        return getattr(b, OF_INTEGERS.get(name, name))(*operands)

    def _kinds(self, instruction: Instruction) -> list[str]:
        return [self._trace.instructions[each].kind for each in instruction.arguments]

    def _float(self, name: str, x: Value, y: Value | None = None) -> Value:
        b = self._b
        if name == "abs":
            return b.elementwise("fabs", x)
        if name in OF_FLOATS:
            return getattr(b, OF_FLOATS[name])(x, y)
        first = b.fcmp_ordered("<=" if name == "min" else ">=", x, y)
        return b.select(b.or_(first, b.fcmp_unordered("!=", x, x)), x, y)  # only NaN differs from itself

    def _compared(self, name: str, x: Value, y: Value) -> Value:
        b, sign = self._b, COMPARED[name[-2:]]
        if name[0] == "f":
            return (b.fcmp_unordered if sign == "!=" else b.fcmp_ordered)(sign, x, y)
        return (b.icmp_signed if name[0] == "s" else b.icmp_unsigned)(sign, x, y)

    # -- whole division

    def _quotient(self, instruction: Instruction) -> Value:
        """The whole quotient, rounded down; LLVM turns a division by a constant into a multiplication."""
        b, (left, right) = self._b, instruction.arguments
        x, y = self._built[left], self._built[right]
        low, divisor = self._trace.bounds[left], self._trace.bounds[right]
        assert low is not None
        assert divisor is not None
        if divisor[0] == divisor[1] > 0 and low[0] >= 0:
            return b.udiv(x, y)
        if divisor[0] == divisor[1] > 1 and self._trace.instructions[left].kind == "int":
            made = b.sdiv(x, y)
            below = b.icmp_signed("<", b.sub(x, b.mul(made, y)), b.constant(WORDS, 0))
            return b.add(made, b.sext(below, WORDS))
        halves = zip(self._doubles(left), self._doubles(right), strict=True)
        return b.join([self._rounded_down(b.fdiv(*pair), instruction.kind) for pair in halves])

    def _doubles(self, number: int) -> list[Value]:
        """An integer's lanes as float64, in two vectors."""
        b, signed = self._b, self._trace.instructions[number].kind == "int"
        return [(b.sitofp if signed else b.uitofp)(half, vector("f64", 8)) for half in b.split(self._built[number], 2)]

    def _rounded_down(self, quotient: Value, kind: str) -> Value:
        """A quotient as 32 bits. Of two integers of 32 bits it is that of float64, as it is no nearer to an integer."""
        b, words = self._b, vector("i32", 8)
        if kind == "uint":
            return b.fptoui(quotient, words)
        wide = words if kind == "int" else vector("i64", 8)
        whole = b.fptosi(quotient, wide)
        above = b.fcmp_ordered(">", b.sitofp(whole, quotient.type), quotient)
        down = b.add(whole, b.sext(above, wide))
        return down if kind == "int" else b.trunc(down, words)

    # -- look-ups

    def _chosen(self, instruction: Instruction) -> Value:
        """An entry of a table, which is looked up as a float, in the instruction's kind."""
        b, table = self._b, None
        if instruction.name == "table":
            which, number = instruction.arguments
            table = self._trace.tables[which]
            count = len(table)
        else:
            part, _, count, number = instruction.arguments
        if not in_registers(b, count):
            address = self._parts.table(part) if table is None else address_of(b, table)
            entries = gather(b, address, self._index(number, count))
        elif table is None:
            registers = stored_registers(b, self._parts.table(part), count)
            entries = look_up(b, registers, self._short_index(number, count), period(count))
        else:
            entries = look_up(b, constant_registers(b, table), self._short_index(number, count), period(count))
        return entries if instruction.kind == "float" else b.bitcast(entries, WORDS)

    def _short_index(self, number: int, count: int) -> Value:
        """An index into registers, of which only the low bits count."""
        bounds, size = self._trace.bounds[number], period(count)
        assert bounds is not None
        if count == 1:
            return self._b.constant(WORDS, 0)
        if size == count or (bounds[0] >= 0 and bounds[1] < size):
            return self._low_bits(number, size.bit_length() - 1)
        return self._b.elementwise("umin", self.value(number), self._b.constant(WORDS, count - 1))

    def _index(self, number: int, count: int) -> Value:
        """An index into memory, which is within the table."""
        b, bounds = self._b, self._trace.bounds[number]
        assert bounds is not None
        index = self.value(number)
        if bounds[0] >= 0 and bounds[1] < count:
            return index
        last = b.constant(WORDS, count - 1)
        return b.and_(index, last) if period(count) == count else b.elementwise("umin", index, last)

    def _low_bits(self, number: int, bits: int, skipped: int = 0) -> Value:
        """A vector with `bits` bits of a result, from bit `skipped` on, as its low bits; the bits above are undefined.

        A look-up in registers reads only the low bits, so it needs no masks and few shifts.
        """
        b, instruction = self._b, self._trace.instructions[number]
        source = self._without_mask(instruction, bits, skipped)
        if source is not None:
            return self._low_bits(source, bits, skipped)
        if instruction.name == "rshift":
            left, right = instruction.arguments
            by = self._trace.bounds[right]
            if by is not None and by[0] == by[1] <= 32 - skipped - bits:
                return self._low_bits(left, bits, skipped + by[0])
        match instruction.name, instruction.arguments:
            case "load", (part, dtype, offset) if skipped + bits <= 8 * np.dtype(dtype).itemsize:
                return self._parts.from_bit(part, 8 * offset + skipped, bits)
            case "bits", (part, bit, size) if skipped + bits <= size:
                return self._parts.from_bit(part, bit + skipped, bits)
            case "digit", arguments if not skipped and bits <= 16:
                return self._parts.digit(*arguments, alone=False)
        value = self.value(number)
        return b.lshr(value, b.constant(WORDS, skipped)) if skipped else value

    def _without_mask(self, instruction: Instruction, bits: int, skipped: int) -> int | None:
        """The operand of a mask that keeps all of these bits; None: it is no such mask."""
        if instruction.name != "and":
            return None
        left, right = instruction.arguments
        for number, other in ((left, right), (right, left)):
            constant = self._trace.instructions[other]
            if constant.name == "constant" and ~(constant.arguments[0] >> skipped) & ((1 << bits) - 1) == 0:
                return int(number)
        return None
