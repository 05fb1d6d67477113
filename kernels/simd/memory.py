"""Loads and stores. An address is a number of bytes; it need not be aligned."""

from __future__ import annotations

import numpy as np

from fourcc.kernels.simd.builder import ELEMENTS, Builder, Value, llvm_type, vector
from fourcc.kernels.simd.interpreted import Lanes, read, write
from fourcc.kernels.simd.operation import (
    ADDRESS,
    BYTES,
    DOUBLE,
    DOUBLES,
    FLOAT,
    FLOATS,
    INTEGER,
    INTS,
    OperandKind,
    operation,
)

VECTOR = 64  # bytes of a vector

# -- scalars


@operation(ADDRESS, returns=INTEGER)
def load_word(address: int) -> int:
    """The int64 at an address."""
    return int(read(address, "<i8", 1)[0])


@load_word.lowered
def _(b: Builder, address: Value) -> Value:
    return b.load_from(address, ELEMENTS["i64"])


@operation(ADDRESS, INTEGER)
def store_word(address: int, value: int) -> None:
    """Stores an int64."""
    write(address, np.int64(value))


@store_word.lowered
def _(b: Builder, address: Value, value: Value) -> None:
    b.store_to(address, value)


@operation(ADDRESS, returns=INTEGER)
def load_byte(address: int) -> int:
    """The byte at an address, 0 .. 255."""
    return int(read(address, "|u1", 1)[0])


@load_byte.lowered
def _(b: Builder, address: Value) -> Value:
    return b.zext(b.load_from(address, ELEMENTS["i8"]), ELEMENTS["i64"])


@operation(ADDRESS, INTEGER)
def store_byte(address: int, value: int) -> None:
    """Stores the low eight bits of an integer."""
    write(address, np.uint8(value & 255))


@store_byte.lowered
def _(b: Builder, address: Value, value: Value) -> None:
    b.store_to(address, b.trunc(value, ELEMENTS["i8"]))


@operation(ADDRESS, returns=INTEGER)
def load_int(address: int) -> int:
    """The int32 at an address."""
    return int(read(address, "<i4", 1)[0])


@load_int.lowered
def _(b: Builder, address: Value) -> Value:
    return b.sext(b.load_from(address, ELEMENTS["i32"]), ELEMENTS["i64"])


@operation(ADDRESS, INTEGER)
def store_int(address: int, value: int) -> None:
    """Stores the low 32 bits of an integer."""
    write(address, np.array(value & 0xFFFFFFFF, np.uint32))


@store_int.lowered
def _(b: Builder, address: Value, value: Value) -> None:
    b.store_to(address, b.trunc(value, ELEMENTS["i32"]))


@operation(ADDRESS, returns=FLOAT)
def load_float(address: int) -> np.float32:
    """The float32 at an address."""
    return np.float32(read(address, "<f4", 1)[0])


@load_float.lowered
def _(b: Builder, address: Value) -> Value:
    return b.load_from(address, ELEMENTS["f32"])


@operation(ADDRESS, FLOAT)
def store_float(address: int, value: np.float32) -> None:
    """Stores a float32."""
    write(address, np.float32(value))


@store_float.lowered
def _(b: Builder, address: Value, value: Value) -> None:
    b.store_to(address, value)


@operation(ADDRESS, returns=DOUBLE)
def load_double(address: int) -> np.float64:
    """The float64 at an address."""
    return np.float64(read(address, "<f8", 1)[0])


@load_double.lowered
def _(b: Builder, address: Value) -> Value:
    return b.load_from(address, ELEMENTS["f64"])


@operation(ADDRESS, DOUBLE)
def store_double(address: int, value: np.float64) -> None:
    """Stores a float64."""
    write(address, np.float64(value))


@store_double.lowered
def _(b: Builder, address: Value, value: Value) -> None:
    b.store_to(address, value)


# -- whole vectors


@operation(ADDRESS, returns=BYTES)
def load_bytes(address: int) -> Lanes:
    """64 bytes."""
    return read(address, "|i1", 64)


@load_bytes.lowered
def _(b: Builder, address: Value) -> Value:
    return b.load_from(address, llvm_type(BYTES))


@operation(ADDRESS, ADDRESS, returns=BYTES)
def load_byte_halves(low: int, high: int) -> Lanes:
    """32 bytes from one address, followed by 32 from another."""
    return np.concatenate([read(low, "|i1", 32), read(high, "|i1", 32)])


@load_byte_halves.lowered
def _(b: Builder, low: Value, high: Value) -> Value:
    half = vector("i8", 32)
    return b.join([b.load_from(low, half), b.load_from(high, half)])


@operation(ADDRESS, returns=INTS)
def load_ints(address: int) -> Lanes:
    """16 int32."""
    return read(address, "<i4", 16)


@load_ints.lowered
def _(b: Builder, address: Value) -> Value:
    return b.load_from(address, llvm_type(INTS))


@operation(ADDRESS, returns=FLOATS)
def load_floats(address: int) -> Lanes:
    """16 float32."""
    return read(address, "<f4", 16)


@load_floats.lowered
def _(b: Builder, address: Value) -> Value:
    return b.load_from(address, llvm_type(FLOATS))


@operation(ADDRESS, returns=DOUBLES)
def load_doubles(address: int) -> Lanes:
    """8 float64."""
    return read(address, "<f8", 8)


@load_doubles.lowered
def _(b: Builder, address: Value) -> Value:
    return b.load_from(address, llvm_type(DOUBLES))


def _same(address: OperandKind, value: OperandKind) -> OperandKind:
    return OperandKind("void")


@operation(returns=_same)
def store(address: int, value: Lanes) -> None:
    """Stores a vector of any kind."""
    write(address, value)


@store.lowered
def _(b: Builder, address: Value, value: Value) -> None:
    b.store_to(address, value)


# -- hints


@operation(ADDRESS)
def prefetch(address: int) -> None:
    """Prefetches the cache line at an address into L1; any address is allowed."""


@operation(ADDRESS)
def prefetch_second(address: int) -> None:
    """Prefetches the cache line into L2: for lines that would evict each other from L1."""


def _prefetch(b: Builder, address: Value, locality: int) -> None:
    hints = [b.int32(0), b.int32(locality), b.int32(1)]  # a read, which cache, data
    b.call("llvm.prefetch.p0", ELEMENTS["void"], b.inttoptr(address, ELEMENTS["i8"].as_pointer()), *hints)


@prefetch.lowered
def _(b: Builder, address: Value) -> None:
    _prefetch(b, address, 3)


@prefetch_second.lowered
def _(b: Builder, address: Value) -> None:
    _prefetch(b, address, 2)
