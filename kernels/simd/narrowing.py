"""Stores that round float32 to numbers of 16 bits, half to even."""

from __future__ import annotations

import numpy as np

from fourcc.kernels.simd.builder import Builder, Value, vector
from fourcc.kernels.simd.operation import ADDRESS, FLOAT, FLOATS, INTEGER, operation
from fourcc.kernels.simd.partial import store_partial
from fourcc.kernels.simd.twins import Lanes, write


def _float16(value: Lanes) -> Lanes:
    with np.errstate(over="ignore"):
        return np.asarray(value, np.float32).astype(np.float16)


@operation(ADDRESS, FLOAT)
def store_float16(address: int, value: np.float32) -> None:
    """Stores a float as float16; beyond 65504 it is infinite."""
    write(address, _float16(value))


@store_float16.lowered
def _(b: Builder, address: Value, value: Value) -> None:
    four = narrowed_float16(b, b.splat(value, 4))
    b.store_to(address, b.extract_element(four, b.int32(0)))


@operation(ADDRESS, FLOATS)
def store_float16s(address: int, value: Lanes) -> None:
    """Stores 16 floats as float16; beyond 65504 they are infinite."""
    write(address, _float16(value))


@store_float16s.lowered
def _(b: Builder, address: Value, value: Value) -> None:
    b.store_to(address, narrowed_float16(b, value))


@operation(ADDRESS, FLOATS, INTEGER)
def store_some_float16s(address: int, value: Lanes, count: int) -> None:
    """Stores the first `count` (0 .. 16) lanes as float16."""
    write(address, _float16(value[:count]))


@store_some_float16s.lowered
def _(b: Builder, address: Value, value: Value, count: Value) -> None:
    store_partial(b, address, narrowed_float16(b, value), count, 2)


def narrowed_float16(b: Builder, value: Value) -> Value:
    """Float32 that are not NaN as bits of float16 (i16 lanes).

    In hardware where there is such an instruction. Else, of the magnitude's bits f: below 2^-14 adding 0.5 rounds at the
    last place of a float16's denormals; from there on 13 bits go, half to even, and the exponent is biased anew; from
    65536 on it is infinity.
    """
    lanes = value.type.count
    if b.target.name != "portable":
        return b.bitcast(b.fptrunc(value, vector("f16", lanes)), vector("i16", lanes))
    wide = vector("i32", lanes)
    bits = b.bitcast(value, wide)
    sign = b.lshr(b.and_(bits, b.constant(wide, 0x80000000)), b.constant(wide, 16))
    f = b.and_(bits, b.constant(wide, 0x7FFFFFFF))
    half = b.constant(value.type, 0.5)
    denormal = b.sub(b.bitcast(b.fadd(b.bitcast(f, value.type), half), wide), b.constant(wide, 126 << 23))
    odd = b.and_(b.lshr(f, b.constant(wide, 13)), b.constant(wide, 1))
    biased = b.sub(f, b.constant(wide, (112 << 23) - 0xFFF))
    normal = b.lshr(b.add(biased, odd), b.constant(wide, 13))
    small = b.icmp_unsigned("<", f, b.constant(wide, 113 << 23))
    huge = b.icmp_unsigned(">=", f, b.constant(wide, 143 << 23))
    made = b.select(huge, b.constant(wide, 0x7C00), b.select(small, denormal, normal))
    return b.trunc(b.or_(made, sign), vector("i16", lanes))


def _bfloat16(value: Lanes) -> Lanes:
    bits = np.asarray(value, np.float32).view(np.uint32)
    rounded = bits + (np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))
    return (rounded >> np.uint32(16)).astype(np.uint16)


@operation(ADDRESS, FLOATS)
def store_bfloat16s(address: int, value: Lanes) -> None:
    """Stores 16 floats that are not NaN as bfloat16."""
    write(address, _bfloat16(value))


@store_bfloat16s.lowered
def _(b: Builder, address: Value, value: Value) -> None:
    b.store_to(address, _narrowed_bfloat16(b, value))


@operation(ADDRESS, FLOATS, INTEGER)
def store_some_bfloat16s(address: int, value: Lanes, count: int) -> None:
    """Stores the first `count` (0 .. 16) lanes, none of them NaN, as bfloat16."""
    write(address, _bfloat16(value[:count]))


@store_some_bfloat16s.lowered
def _(b: Builder, address: Value, value: Value, count: Value) -> None:
    store_partial(b, address, _narrowed_bfloat16(b, value), count, 2)


def _narrowed_bfloat16(b: Builder, value: Value) -> Value:
    """The upper half of the bits, after 0x7FFF was added, and the last bit that stays."""
    wide = vector("i32", value.type.count)
    bits, sixteen = b.bitcast(value, wide), b.constant(wide, 16)
    odd = b.and_(b.lshr(bits, sixteen), b.constant(wide, 1))
    rounded = b.add(b.add(bits, b.constant(wide, 0x7FFF)), odd)
    return b.trunc(b.lshr(rounded, sixteen), vector("i16", value.type.count))


