"""Lowers the instructions of a trace (`fourcc.kernels.fusing.ir`) to LLVM's, on vectors of sixteen rows."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from fourcc.kernels.fusing.ir import Instruction, Trace
from fourcc.kernels.simd.builder import ELEMENTS, Builder, Value, everywhere, llvm_type, vector
from fourcc.kernels.simd.dot import lookup_floats
from fourcc.kernels.simd.interpreted import Lanes, padded
from fourcc.kernels.simd.load_wide import widened_float16
from fourcc.kernels.simd.operation import FLOATS, INTS

WORDS = llvm_type(INTS)
REGISTERS = {16: 4, 32: 5}  # entries of a table that one or two registers hold -> bits of an index
LARGEST = max(REGISTERS)


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
        self._b, self._trace, self._strides, self._pointers, self._block = b, trace, strides, pointers, block
        self._built: dict[int, Value] = {}
        self._bases: dict[int, Value] = {}
        self._starts: dict[int, tuple[Value, Value | None]] = {}
        self._words: dict[tuple[int, int], Value] = {}

    def value(self, number: int) -> Value:
        """The vector that an instruction computes; its operands are built first."""
        waiting = [number]
        while waiting:
            instruction = self._trace.instructions[waiting[-1]]
            missing = [each for each in _operands(instruction) if each not in self._built]
            if missing:
                waiting += missing
            else:
                last = waiting.pop()
                if last not in self._built:
                    self._built[last] = self._build(instruction)
        return self._built[number]

    def _base(self, part: int) -> Value:
        if part not in self._bases:
            self._bases[part] = self._b.load_from(self._b.plus(self._pointers, 8 * part), ELEMENTS["i64"])
        return self._bases[part]

    def _build(self, instruction: Instruction) -> Value:  # noqa: PLR0911 - one for each name
        b, built = self._b, self._built
        match instruction.name, instruction.arguments:
            case "constant", (number,):
                kind = llvm_type(FLOATS) if instruction.kind == "float" else WORDS
                return b.constant(kind, number)
            case "to_float", (number,):
                signed = self._trace.instructions[number].kind == "int"
                return (b.sitofp if signed else b.uitofp)(built[number], llvm_type(FLOATS))
            case "load", (part, dtype, offset):
                return self._entry(part, np.dtype(dtype), offset)
            case "part_entry", (part, dtype, offset):
                return self._shared(part, np.dtype(dtype), offset)
            case "table", (table, number):
                return self._as_kind(instruction, self._table(self._trace.tables[table], number))
            case "part_table", (part, _, count, number):
                looked_up = _look_up(b, self._base(len(self._strides) + part), count, self._index(number, count))
                return self._as_kind(instruction, looked_up)
        left, right = (built[number] for number in instruction.arguments)
        return getattr(b, self._builder_method(instruction))(left, right)

    def _builder_method(self, instruction: Instruction) -> str:
        if instruction.kind == "float":
            return {"add": "fadd", "sub": "fsub", "mul": "fmul", "truediv": "fdiv"}[instruction.name]
        shift = "ashr" if self._trace.instructions[instruction.arguments[0]].kind == "int" else "lshr"
        return {"and": "and_", "or": "or_", "rshift": shift, "lshift": "shl"}.get(instruction.name, instruction.name)

    def _entry(self, part: int, dtype: np.dtype[Any], offset: int) -> Value:
        """An entry of a block: one or two words, shifted to the entry's bits and widened."""
        b, size = self._b, 8 * dtype.itemsize
        if dtype.itemsize == 4:
            word = self._from_bit(part, dtype, offset, 0)
            return b.bitcast(word, llvm_type(FLOATS)) if dtype.kind == "f" else word
        if dtype.kind == "u":
            return b.and_(self._from_bit(part, dtype, offset, 0), b.constant(WORDS, (1 << size) - 1))
        if dtype.kind == "f":
            return widened_float16(b, b.trunc(self._from_bit(part, dtype, offset, 0), vector("i16", 16)))
        up = b.constant(WORDS, 32 - size)
        return b.ashr(b.shl(self._from_bit(part, dtype, offset, 0), up), up)

    def _from_bit(self, part: int, dtype: np.dtype[Any], offset: int, first: int) -> Value:
        """A vector with the bits of an entry from bit `first` on as its low bits; the bits above them are undefined."""
        b, shift = self._b, 8 * (offset % 4) + first
        low, high = offset // 4, (offset + dtype.itemsize - 1) // 4
        if low == high:
            return b.lshr(self._word(part, low), b.constant(WORDS, shift)) if shift else self._word(part, low)
        joined = b.elementwise("fshr", self._word(part, high), self._word(part, low), b.constant(WORDS, shift % 32))
        return joined if shift < 32 else b.lshr(self._word(part, high), b.constant(WORDS, shift - 32))

    def _word(self, part: int, number: int) -> Value:
        """Four bytes of a block; where not every block begins at a word, they come from two words."""
        b = self._b
        if (part, number) not in self._words:
            place, before = self._block_start(part)
            word = b.load_from(b.plus(place, 64 * number), WORDS)
            if before is not None:
                word = b.elementwise("fshr", b.load_from(b.plus(place, 64 * (number + 1)), WORDS), word, before)
            self._words[part, number] = word
        return self._words[part, number]

    def _block_start(self, part: int) -> tuple[Value, Value | None]:
        """Address of the word in which a block begins, and how many bits of it precede the block (None: always 0)."""
        b, stride = self._b, self._strides[part]
        if part not in self._starts:
            at = b.mul(self._block, b.constant(ELEMENTS["i64"], stride))
            if stride % 4 == 0:
                self._starts[part] = b.add(self._base(part), b.shl(at, b.constant(at.type, 4))), None
            else:
                word, three = b.lshr(at, b.constant(at.type, 2)), b.constant(at.type, 3)
                bits = b.trunc(b.shl(b.and_(at, three), three), ELEMENTS["i32"])
                place = b.add(self._base(part), b.shl(word, b.constant(at.type, 6)))
                self._starts[part] = place, b.splat(bits, 16)
        return self._starts[part]

    def _shared(self, part: int, dtype: np.dtype[Any], offset: int) -> Value:
        """An entry of a part that belongs to the whole matrix, copied to all lanes."""
        b, address = self._b, self._b.plus(self._base(part), offset)
        if dtype.kind == "f" and dtype.itemsize == 4:
            return everywhere(b, address)
        if dtype.kind == "f":
            return widened_float16(b, b.splat(b.load_from(address, ELEMENTS["i16"]), 16))
        one = b.load_from(address, ELEMENTS[f"i{8 * dtype.itemsize}"])
        wide = b.zext if dtype.kind == "u" else b.sext
        return b.splat(one if dtype.itemsize == 4 else wide(one, ELEMENTS["i32"]), 16)

    def _as_kind(self, instruction: Instruction, entries: Value) -> Value:
        """Entries of a table, which are looked up as floats, in the instruction's kind."""
        return entries if instruction.kind == "float" else self._b.bitcast(entries, WORDS)

    def _index(self, number: int, count: int) -> Value:
        """An instruction's result as the index of a table."""
        return self._low_bits(number, REGISTERS[count]) if count in REGISTERS else self.value(number)

    def _low_bits(self, number: int, bits: int, skipped: int = 0) -> Value:
        """A vector with `bits` bits of a result, from bit `skipped` on, as its low bits; the bits above are undefined.

        A look-up in registers reads only the low bits, so it needs no masks and few shifts.
        """
        b, instruction = self._b, self._trace.instructions[number]
        if instruction.name in {"and", "rshift"}:
            left, right = (self._trace.instructions[each] for each in instruction.arguments)
            for value, constant in ((instruction.arguments[0], right), (instruction.arguments[1], left)):
                known = constant.arguments[0] if constant.name == "constant" else None
                if instruction.name == "and" and known is not None and ~(known >> skipped) & ((1 << bits) - 1) == 0:
                    return self._low_bits(value, bits, skipped)
            if instruction.name == "rshift" and right.name == "constant" and right.arguments[0] <= 32 - skipped - bits:
                return self._low_bits(instruction.arguments[0], bits, skipped + right.arguments[0])
        if instruction.name == "load" and skipped + bits <= 8 * np.dtype(instruction.arguments[1]).itemsize:
            part, dtype, offset = instruction.arguments
            return self._from_bit(part, np.dtype(dtype), offset, skipped)
        value = self.value(number)
        return b.lshr(value, b.constant(WORDS, skipped)) if skipped else value

    def _table(self, table: Lanes, number: int) -> Value:
        """An entry of a constant table; for a table in registers the index needs no mask."""
        b, values, index = self._b, table.view(np.int32), self._index(number, len(table))
        if len(table) <= LARGEST:
            if len(table) not in REGISTERS:
                index = b.elementwise("umin", index, b.constant(WORDS, len(table) - 1))
            size = min(each for each in REGISTERS if each >= len(table))
            halves = [b.constant(WORDS, half.tolist()) for half in padded(values, size).reshape(-1, 16)]
            return _lookup_in_registers(b, [b.bitcast(half, llvm_type(FLOATS)) for half in halves], index)
        name = f"table_{hashlib.blake2b(values.tobytes(), digest_size=8).hexdigest()}"
        held = b.module.globals.get(name)
        if held is None:
            kind = ir.ArrayType(ELEMENTS["i32"], len(table))
            held = ir.GlobalVariable(b.module, kind, name)
            held.linkage, held.global_constant = "internal", True
            held.initializer = ir.Constant(kind, values.tolist())
        return _gather(b, b.ptrtoint(held, ELEMENTS["i64"]), len(table), index)


def _operands(instruction: Instruction) -> tuple[int, ...]:
    """Instructions to build before this one; a look-up builds its index itself, since it may need fewer of its bits."""
    return (
        () if instruction.name in {"constant", "load", "part_entry", "table", "part_table"} else instruction.arguments
    )


def _look_up(b: Builder, address: Value, count: int, index: Value) -> Value:
    if count in REGISTERS:
        halves = [b.load_from(b.plus(address, 64 * half), llvm_type(FLOATS)) for half in range(count // 16)]
        return _lookup_in_registers(b, halves, index)
    return _gather(b, address, count, index)


def _lookup_in_registers(b: Builder, halves: Sequence[Value], index: Value) -> Value:
    """Entries of a table of 16 or 32; only the low four or five bits of the index count."""
    if len(halves) == 1:
        return lookup_floats(b, halves[0], index)
    if b.target.name == "avx512":
        return b.call("llvm.x86.avx512.vpermi2var.ps.512", halves[0].type, halves[0], index, halves[1])
    low, high = (lookup_floats(b, half, index) for half in halves)
    upper = b.icmp_unsigned("!=", b.and_(index, b.constant(WORDS, 16)), b.constant(WORDS, 0))
    return b.select(upper, high, low)


def _gather(b: Builder, address: Value, count: int, index: Value) -> Value:
    """Floats of a table in memory; an index beyond the end, which damaged data may contain, takes the last entry."""
    index = b.elementwise("umin", index, b.constant(WORDS, count - 1))
    raw, nothing_yet = ELEMENTS["i8"].as_pointer(), b.constant(llvm_type(FLOATS), 0.0)
    if b.target.name == "avx512":
        mask = b.constant(vector("i1", 16), 1)
        arguments = (nothing_yet, b.inttoptr(address, raw), index, mask, b.int32(4))
        return b.call("llvm.x86.avx512.mask.gather.dps.512", llvm_type(FLOATS), *arguments)
    entries = nothing_yet
    for lane in range(16):
        at = b.shl(b.zext(b.extract_element(index, b.int32(lane)), ELEMENTS["i64"]), b.constant(ELEMENTS["i64"], 2))
        entries = b.insert_element(entries, b.load_from(b.add(address, at), ELEMENTS["f32"]), b.int32(lane))
    return entries
