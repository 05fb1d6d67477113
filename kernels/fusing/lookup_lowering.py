"""Lowers look-ups: short tables stay in registers, long ones are gathered from memory.

An index into 2^k entries counts modulo 2^k; an index beyond the end of a table of another length takes its last entry.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from llvmlite import ir

from fourcc.kernels.simd.builder import ELEMENTS, Builder, Value, llvm_type, vector
from fourcc.kernels.simd.dot import lookup_floats
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.operation import FLOATS, INTS

WORDS, REALS = llvm_type(INTS), llvm_type(FLOATS)
LANES = 16
# Entries of the longest table in registers. Elsewhere a look-up in registers is a store and sixteen loads.
LONGEST = {"avx512": 64, "avxvnni": 32, "avx2": 32}


def in_registers(b: Builder, count: int) -> bool:
    """Whether so many entries stay in registers."""
    return count <= LONGEST.get(b.target.name, 0)


def period(count: int) -> int:
    """The number of entries, rounded up to a power of two: the table in registers repeats after so many."""
    return 1 << (count - 1).bit_length()


def _lanes(count: int) -> list[list[int]]:
    """The entries in the lanes of each register; the last one fills up."""
    size = max(period(count), LANES)
    entries = [min(each % period(count), count - 1) for each in range(size)]
    return [entries[first : first + LANES] for first in range(0, size, LANES)]


def constant_registers(b: Builder, table: Lanes) -> list[Value]:
    """A constant table's entries, 32 bits each, in registers."""
    bits = table.view(np.int32)
    return [b.bitcast(b.constant(WORDS, [int(bits[each]) for each in lanes]), REALS) for lanes in _lanes(len(table))]


def stored_registers(b: Builder, address: Value, count: int) -> list[Value]:
    """The registers of a table in memory, where the last vector is full as well."""
    loaded = [b.load_from(b.plus(address, 4 * first), REALS) for first in range(0, count, LANES)]
    registers = []
    for lanes in _lanes(count):
        source, local = lanes[0] // LANES, [each % LANES for each in lanes]
        registers.append(loaded[source] if local == list(range(LANES)) else b.pick(loaded[source], local))
    return registers


def look_up(b: Builder, registers: Sequence[Value], index: Value, entries: int) -> Value:
    """Entries of a table in registers; bits of the index above those of `entries`, a power of two, do not count."""
    if len(registers) == 1:
        if entries <= LANES // 2 and b.target.name in {"avxvnni", "avx2"}:
            eight = b.split(registers[0], 2)[0]
            return b.join([b.call("llvm.x86.avx2.permps", eight.type, eight, half) for half in b.split(index, 2)])
        return lookup_floats(b, registers[0], index)
    half = len(registers) // 2
    if len(registers) == 2 and b.target.name == "avx512":
        return b.call("llvm.x86.avx512.vpermi2var.ps.512", REALS, registers[0], index, registers[1])
    low, high = (look_up(b, some, index, entries // 2) for some in (registers[:half], registers[half:]))
    bit = b.and_(index, b.constant(WORDS, LANES * half))
    return b.select(b.icmp_unsigned("!=", bit, b.constant(WORDS, 0)), high, low)


def address_of(b: Builder, table: Lanes) -> Value:
    """The address of a constant table in memory."""
    values = table.view(np.int32)
    name = f"table_{hashlib.blake2b(values.tobytes(), digest_size=8).hexdigest()}"
    held = b.module.globals.get(name)
    if held is None:
        kind = ir.ArrayType(ELEMENTS["i32"], len(table))
        held = ir.GlobalVariable(b.module, kind, name)
        held.linkage, held.global_constant = "internal", True
        held.initializer = ir.Constant(kind, values.tolist())
    return b.ptrtoint(held, ELEMENTS["i64"])


def gather(b: Builder, address: Value, index: Value) -> Value:
    """Entries of a table in memory; the index is within it."""
    raw, nothing_yet = ELEMENTS["i8"].as_pointer(), b.constant(REALS, 0.0)
    if b.target.name == "avx512":
        mask = b.constant(vector("i1", 16), 1)
        arguments = (nothing_yet, b.inttoptr(address, raw), index, mask, b.int32(4))
        return b.call("llvm.x86.avx512.mask.gather.dps.512", REALS, *arguments)
    entries = nothing_yet
    for lane in range(16):
        at = b.shl(b.zext(b.extract_element(index, b.int32(lane)), ELEMENTS["i64"]), b.constant(ELEMENTS["i64"], 2))
        entries = b.insert_element(entries, b.load_from(b.add(address, at), ELEMENTS["f32"]), b.int32(lane))
    return entries
