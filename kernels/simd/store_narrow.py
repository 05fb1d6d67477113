"""Stores that narrow: float32 to 16-bit floats, rounded half to even; integers to bytes and nibbles."""

from __future__ import annotations

import numpy as np

from fourcc.kernels.simd.builder import ELEMENTS, Builder, Value, vector
from fourcc.kernels.simd.interpreted import Lanes, write
from fourcc.kernels.simd.operation import ADDRESS, FLOAT, FLOATS, INTEGER, INTS, operation


def store_partial(b: Builder, address: Value, value: Value, count: Value, size: int) -> None:
    """Stores only `count` elements of a vector, `size` bytes each; they are copied from the stack."""
    with b.goto_entry_block():
        slot = b.alloca(value.type)
    b.store(value, slot)
    raw = ELEMENTS["i8"].as_pointer()
    arguments = (b.inttoptr(address, raw), b.bitcast(slot, raw), b.mul(count, b.constant(ELEMENTS["i64"], size)))
    b.call("llvm.memcpy.p0.p0.i64", ELEMENTS["void"], *arguments, b.constant(ELEMENTS["i1"], 0))


# -- 16-bit floats


def _float16(value: Lanes | np.float32) -> Lanes:
    with np.errstate(over="ignore", invalid="ignore"):  # on some machines a signalling NaN is invalid
        return np.asarray(value, np.float32).astype(np.float16)


@operation(ADDRESS, FLOAT)
def store_float16(address: int, value: np.float32) -> None:
    """Stores a float as float16; one that rounds to more than 65504 becomes infinite."""
    write(address, _float16(value))


@store_float16.lowered
def _(b: Builder, address: Value, value: Value) -> None:
    four = narrowed_float16(b, b.splat(value, 4))
    b.store_to(address, b.extract_element(four, b.int32(0)))


@operation(ADDRESS, FLOATS)
def store_float16s(address: int, value: Lanes) -> None:
    """Stores 16 floats as float16; one that rounds to more than 65504 becomes infinite."""
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

    In hardware where the target has an instruction. Else, with f the bits of the magnitude: below 2^-14, adding 0.5
    rounds at the last place of float16's denormals; from 2^-14 on, 13 bits are rounded off, half to even, and the
    exponent gets the other bias; from 65536 on, the result is infinity.
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
    magnitude = b.select(huge, b.constant(wide, 0x7C00), b.select(small, denormal, normal))
    return b.trunc(b.or_(magnitude, sign), vector("i16", lanes))


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


@operation(ADDRESS, FLOATS)
def store_nearest_bfloat16s(address: int, value: Lanes) -> None:
    """Stores 16 floats as the nearest bfloat16, half to even; NaN stays NaN."""
    quiet = (value.view(np.uint32) >> np.uint32(16)).astype(np.uint16) | np.uint16(0x40)
    write(address, np.where(np.isnan(value), quiet, _bfloat16(value)))


@store_nearest_bfloat16s.lowered
def _(b: Builder, address: Value, value: Value) -> None:
    wide, narrow = vector("i32", 16), vector("i16", 16)
    upper = b.trunc(b.lshr(b.bitcast(value, wide), b.constant(wide, 16)), narrow)
    quiet = b.or_(upper, b.constant(narrow, 0x40))
    b.store_to(address, b.select(b.fcmp_unordered("uno", value, value), quiet, _narrowed_bfloat16(b, value)))


@operation(ADDRESS, FLOATS, INTEGER)
def store_some_bfloat16s(address: int, value: Lanes, count: int) -> None:
    """Stores the first `count` (0 .. 16) lanes, none of them NaN, as bfloat16."""
    write(address, _bfloat16(value[:count]))


@store_some_bfloat16s.lowered
def _(b: Builder, address: Value, value: Value, count: Value) -> None:
    store_partial(b, address, _narrowed_bfloat16(b, value), count, 2)


def _narrowed_bfloat16(b: Builder, value: Value) -> Value:
    """The upper half of the bits, after 0x7FFF and the lowest bit of that half are added, which rounds half to even."""
    wide = vector("i32", value.type.count)
    bits, sixteen = b.bitcast(value, wide), b.constant(wide, 16)
    odd = b.and_(b.lshr(bits, sixteen), b.constant(wide, 1))
    rounded = b.add(b.add(bits, b.constant(wide, 0x7FFF)), odd)
    return b.trunc(b.lshr(rounded, sixteen), vector("i16", value.type.count))


# -- codes


@operation(ADDRESS, INTS)
def store_low_bytes(address: int, value: Lanes) -> None:
    """Stores the low eight bits of 16 int32."""
    write(address, value.astype(np.int8))


@store_low_bytes.lowered
def _(b: Builder, address: Value, value: Value) -> None:
    b.store_to(address, b.trunc(value, vector("i8", 16)))


@operation(ADDRESS, INTS)
def store_nibble_pairs(address: int, value: Lanes) -> None:
    """Stores 16 int32 from 0 to 15 as 8 bytes: even lanes in the high nibbles, odd lanes in the low ones."""
    write(address, (value[0::2] << 4 | value[1::2]).astype(np.uint8))


@store_nibble_pairs.lowered
def _(b: Builder, address: Value, value: Value) -> None:
    even, odd = b.pick(value, range(0, 16, 2)), b.pick(value, range(1, 16, 2))
    pairs = b.or_(b.shl(even, b.constant(even.type, 4)), odd)
    b.store_to(address, b.trunc(pairs, vector("i8", 8)))
