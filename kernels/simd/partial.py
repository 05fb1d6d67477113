"""Loads and stores of the first lanes of a vector: no other memory is read or written; a load fills up with zeros."""

from __future__ import annotations

import numpy as np

from fourcc.kernels.simd.builder import ELEMENTS, Builder, Value, llvm_type
from fourcc.kernels.simd.interpreted import Lanes, padded, read, write
from fourcc.kernels.simd.operation import ADDRESS, BYTES, FLOATS, INTEGER, INTS, operation


def load_partial(b: Builder, address: Value, count: Value, kind: Value, size: int) -> Value:
    """A vector of which only `count` elements are in memory; they are copied to the stack and loaded from there."""
    with b.goto_entry_block():
        slot = b.alloca(kind)
    b.store(b.constant(kind, 0), slot)
    length = b.mul(count, b.constant(ELEMENTS["i64"], size))
    raw = ELEMENTS["i8"].as_pointer()
    b.call(
        "llvm.memcpy.p0.p0.i64",
        ELEMENTS["void"],
        b.bitcast(slot, raw),
        b.inttoptr(address, raw),
        length,
        b.constant(ELEMENTS["i1"], 0),
    )
    return b.load(slot)


@operation(ADDRESS, INTEGER, returns=BYTES)
def load_some_bytes(address: int, count: int) -> Lanes:
    """The first `count` (0 .. 64) bytes, then zeros."""
    return padded(read(address, "|i1", count), 64)


@load_some_bytes.lowered
def _(b: Builder, address: Value, count: Value) -> Value:
    return load_partial(b, address, count, llvm_type(BYTES), 1)


@operation(ADDRESS, INTEGER, returns=INTS)
def load_some_ints(address: int, count: int) -> Lanes:
    """The first `count` (0 .. 64) bytes as int32, then zeros."""
    return padded(read(address, "|u1", count), 64).view(np.int32)


@load_some_ints.lowered
def _(b: Builder, address: Value, count: Value) -> Value:
    return load_partial(b, address, count, llvm_type(INTS), 1)


@operation(ADDRESS, INTEGER, returns=FLOATS)
def load_some_floats(address: int, count: int) -> Lanes:
    """The first `count` (0 .. 16) float32, then zeros."""
    return padded(read(address, "<f4", count), 16)


@load_some_floats.lowered
def _(b: Builder, address: Value, count: Value) -> Value:
    return load_partial(b, address, count, llvm_type(FLOATS), 4)


@operation(ADDRESS, FLOATS, INTEGER)
def store_some_floats(address: int, value: Lanes, count: int) -> None:
    """Stores the first `count` (0 .. 16) lanes."""
    write(address, value[:count])


@store_some_floats.lowered
def _(b: Builder, address: Value, value: Value, count: Value) -> None:
    with b.goto_entry_block():
        slot = b.alloca(value.type)
    b.store(value, slot)
    raw = ELEMENTS["i8"].as_pointer()
    length = b.mul(count, b.constant(ELEMENTS["i64"], 4))
    zero = b.constant(ELEMENTS["i1"], 0)
    b.call("llvm.memcpy.p0.p0.i64", ELEMENTS["void"], b.inttoptr(address, raw), b.bitcast(slot, raw), length, zero)


@operation(ADDRESS, BYTES)
def store_half_bytes(address: int, value: Lanes) -> None:
    """Stores the first 32 bytes."""
    write(address, value[:32])


@store_half_bytes.lowered
def _(b: Builder, address: Value, value: Value) -> None:
    b.store_to(address, b.split(value, 2)[0])
