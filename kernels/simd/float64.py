"""Doubles, to and from float32 and bytes. A vector of 16 floats becomes two vectors of 8 doubles, `low` and `high`."""

from __future__ import annotations

import numpy as np

from fourcc.kernels.simd.builder import ELEMENTS, Builder, Value, llvm_type, vector
from fourcc.kernels.simd.interpreted import Lanes, padded, read, write
from fourcc.kernels.simd.operation import ADDRESS, DOUBLE, DOUBLES, FLOATS, INTEGER, LONGS, operation
from fourcc.kernels.simd.partial import load_partial
from fourcc.kernels.simd.store_narrow import store_partial


@operation(FLOATS, returns=DOUBLES)
def low_doubles(x: Lanes) -> Lanes:
    """Lanes 0 .. 7 as doubles."""
    return x[:8].astype(np.float64)


@low_doubles.lowered
def _(b: Builder, x: Value) -> Value:
    return b.fpext(b.split(x, 2)[0], llvm_type(DOUBLES))


@operation(FLOATS, returns=DOUBLES)
def high_doubles(x: Lanes) -> Lanes:
    """Lanes 8 .. 15 as doubles."""
    return x[8:].astype(np.float64)


@high_doubles.lowered
def _(b: Builder, x: Value) -> Value:
    return b.fpext(b.split(x, 2)[1], llvm_type(DOUBLES))


@operation(DOUBLES, DOUBLES, returns=FLOATS)
def floats_from_doubles(low: Lanes, high: Lanes) -> Lanes:
    """Two vectors of doubles rounded to float32, half to even."""
    with np.errstate(over="ignore", invalid="ignore"):
        return np.concatenate([low, high]).astype(np.float32)


@floats_from_doubles.lowered
def _(b: Builder, low: Value, high: Value) -> Value:
    half = vector("f32", 8)
    return b.join([b.fptrunc(low, half), b.fptrunc(high, half)])


@operation(ADDRESS, returns=DOUBLES)
def load_bytes_as_doubles(address: int) -> Lanes:
    """8 signed bytes as doubles."""
    return read(address, "|i1", 8).astype(np.float64)


@load_bytes_as_doubles.lowered
def _(b: Builder, address: Value) -> Value:
    return b.sitofp(b.sext(b.load_from(address, vector("i8", 8)), vector("i32", 8)), llvm_type(DOUBLES))


@operation(ADDRESS, INTEGER, returns=DOUBLES)
def load_some_bytes_as_doubles(address: int, count: int) -> Lanes:
    """The first `count` (0 .. 8) signed bytes as doubles, then zeros."""
    return padded(read(address, "|i1", count), 8).astype(np.float64)


@load_some_bytes_as_doubles.lowered
def _(b: Builder, address: Value, count: Value) -> Value:
    some = load_partial(b, address, count, vector("i8", 8), 1)
    return b.sitofp(b.sext(some, vector("i32", 8)), llvm_type(DOUBLES))


def _nearest(x: Lanes) -> Lanes:
    with np.errstate(invalid="ignore"):
        return np.rint(x).astype(np.int32).astype(np.int8)


@operation(ADDRESS, returns=DOUBLES)
def load_floats_as_doubles(address: int) -> Lanes:
    """8 float32 as doubles."""
    return read(address, "<f4", 8).astype(np.float64)


@load_floats_as_doubles.lowered
def _(b: Builder, address: Value) -> Value:
    return b.fpext(b.load_from(address, vector("f32", 8)), llvm_type(DOUBLES))


@operation(ADDRESS, DOUBLES, DOUBLES)
def store_nearest_bytes(address: int, low: Lanes, high: Lanes) -> None:
    """Stores 16 doubles, rounded half to even to whole numbers from -128 to 127, as signed bytes."""
    write(address, np.concatenate([_nearest(low), _nearest(high)]))


@store_nearest_bytes.lowered
def _(b: Builder, address: Value, low: Value, high: Value) -> None:
    b.store_to(address, _nearest_bytes(b, low, high))


@operation(ADDRESS, DOUBLES, DOUBLES, INTEGER)
def store_some_nearest_bytes(address: int, low: Lanes, high: Lanes, count: int) -> None:
    """Stores the first `count` (0 .. 16) of 16 doubles like `store_nearest_bytes`."""
    write(address, np.concatenate([_nearest(low), _nearest(high)])[:count])


@store_some_nearest_bytes.lowered
def _(b: Builder, address: Value, low: Value, high: Value, count: Value) -> None:
    store_partial(b, address, _nearest_bytes(b, low, high), count, 1)


def _nearest_bytes(b: Builder, low: Value, high: Value) -> Value:
    whole = [b.fptosi(_rounded(b, each), vector("i32", 8)) for each in (low, high)]
    return b.trunc(b.join(whole), vector("i8", 16))


def _rounded(b: Builder, x: Value) -> Value:
    if b.target.name != "portable":
        return b.elementwise("rint", x)
    magic = b.constant(x.type, 1.5 * 2.0**52)  # for |x| below 2^51 the sum has no fraction bits
    return b.fsub(b.fadd(x, magic), magic)


@operation(DOUBLES, returns=DOUBLES)
def rounded_doubles(x: Lanes) -> Lanes:
    """The nearest whole numbers, half to even, where |x| is below 2^51."""
    return np.rint(x)


@rounded_doubles.lowered
def _(b: Builder, x: Value) -> Value:
    return _rounded(b, x)


@operation(DOUBLES, DOUBLES, DOUBLES, DOUBLES, returns=DOUBLES)
def where_less_doubles(x: Lanes, y: Lanes, this: Lanes, other: Lanes) -> Lanes:
    """`this` in lanes where x is less than y, else `other`, also for NaN."""
    return np.where(x < y, this, other)


@where_less_doubles.lowered
def _(b: Builder, x: Value, y: Value, this: Value, other: Value) -> Value:
    return b.select(b.fcmp_ordered("<", x, y), this, other)


@operation(DOUBLES, DOUBLES, returns=INTEGER)
def all_below(x: Lanes, y: Lanes) -> int:
    """1 where every lane of x is less than the same lane of y, else 0."""
    return int((x < y).all())


@all_below.lowered
def _(b: Builder, x: Value, y: Value) -> Value:
    return b.zext(all_of(b, b.fcmp_ordered("<", x, y)), ELEMENTS["i64"])


def all_of(b: Builder, lanes: Value) -> Value:
    """Whether all lanes of a vector of i1 are set, as an i1."""
    mask = b.bitcast(lanes, vector("i1", 1).element if lanes.type.count == 1 else _integer(lanes.type.count))
    return b.icmp_signed("==", mask, mask.type(-1))


def _integer(bits: int) -> Value:
    return ELEMENTS[f"i{bits}"]


@operation(DOUBLES, returns=DOUBLE)
def largest_double(x: Lanes) -> np.float64:
    """The largest lane of doubles that are not NaN."""
    return np.float64(x.max())


@largest_double.lowered
def _(b: Builder, x: Value) -> Value:
    while x.type.count > 1:
        low, high = b.split(x, 2)
        x = b.select(b.fcmp_ordered(">", low, high), low, high)
    return b.extract_element(x, b.int32(0))


@operation(ADDRESS, INTEGER, returns=DOUBLES)
def load_float_of_each(address: int, stride: int) -> Lanes:
    """8 float32, `stride` bytes apart, as doubles."""
    return np.concatenate([read(address + stride * lane, "<f4", 1) for lane in range(8)]).astype(np.float64)


@load_float_of_each.lowered
def _(b: Builder, address: Value, stride: Value) -> Value:
    column = b.constant(vector("f32", 8), 0.0)
    for lane in range(8):
        column = b.insert_element(column, b.load_from(address, ELEMENTS["f32"]), b.int32(lane))
        address = b.add(address, stride)
    return b.fpext(column, llvm_type(DOUBLES))


@operation(DOUBLES, DOUBLES, returns=DOUBLES)
def last_then(x: Lanes, y: Lanes) -> Lanes:
    """The last lane of x, then the first seven of y."""
    return np.concatenate([x[7:], y[:7]])


@last_then.lowered
def _(b: Builder, x: Value, y: Value) -> Value:
    return b.shuffle(x, y, range(7, 15))


@operation(DOUBLES, DOUBLES, returns=DOUBLES)
def larger_of_positive(x: Lanes, y: Lanes) -> Lanes:
    """The larger of two doubles that are at least +0 or minus infinity."""
    return np.maximum(x, y)


@larger_of_positive.lowered
def _(b: Builder, x: Value, y: Value) -> Value:
    """Compares their bits as integers, which keeps the order and leaves the floating-point units free for additions."""
    if b.target.name != "avx512":
        return b.select(b.fcmp_ordered(">", x, y), x, y)
    whole = llvm_type(LONGS)
    left, right = b.bitcast(x, whole), b.bitcast(y, whole)
    return b.bitcast(b.select(b.icmp_signed(">", left, right), left, right), x.type)
