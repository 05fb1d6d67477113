"""Loads that widen 16-bit floats to float32, and loads of one number into several lanes."""

from __future__ import annotations

import numpy as np

from fourcc.kernels.simd.builder import ELEMENTS, Builder, Value, vector
from fourcc.kernels.simd.interpreted import Lanes, padded, read, widened
from fourcc.kernels.simd.operation import ADDRESS, FLOAT, FLOATS, INTEGER, operation
from fourcc.kernels.simd.partial import load_partial


@operation(ADDRESS, returns=FLOATS)
def load_float16s(address: int) -> Lanes:
    """16 float16 as float32."""
    return widened(read(address, "<f2", 16))


@load_float16s.lowered
def _(b: Builder, address: Value) -> Value:
    return widened_float16(b, b.load_from(address, vector("i16", 16)))


@operation(ADDRESS, returns=FLOAT)
def load_float16(address: int) -> np.float32:
    """The float16 at an address as float32."""
    return np.float32(widened(read(address, "<f2", 1))[0])


@load_float16.lowered
def _(b: Builder, address: Value) -> Value:
    one = b.load_from(address, vector("i16", 1))
    return b.extract_element(widened_float16(b, b.pick(one, [0] * 4)), b.int32(0))


@operation(ADDRESS, INTEGER, returns=FLOATS)
def load_some_float16s(address: int, count: int) -> Lanes:
    """The first `count` (0 .. 16) float16 as float32, then zeros."""
    return widened(padded(read(address, "<f2", count), 16))


@load_some_float16s.lowered
def _(b: Builder, address: Value, count: Value) -> Value:
    return widened_float16(b, load_partial(b, address, count, vector("i16", 16), 2))


def widened_float16(b: Builder, bits: Value) -> Value:
    """Bits of float16 (i16 lanes) as float32.

    In hardware where the target has an instruction. Else (h & 0x7fff) << 13, read as a float32, times 2^112, which is
    exact for denormals too. An exponent above that of 65504 means infinity or NaN, and all its bits become 1.
    """
    lanes = bits.type.count
    if b.target.name != "portable":
        return b.fpext(b.bitcast(bits, vector("f16", lanes)), vector("f32", lanes))
    wide = vector("i32", lanes)
    word = b.zext(bits, wide)
    sign = b.shl(b.and_(word, b.constant(wide, 0x8000)), b.constant(wide, 16))
    magnitude = b.and_(word, b.constant(wide, 0x7FFF))
    shifted = b.bitcast(b.shl(magnitude, b.constant(wide, 13)), vector("f32", lanes))
    scaled = b.bitcast(b.fmul(shifted, b.constant(shifted.type, 2.0**112)), wide)
    special = b.icmp_unsigned(">=", magnitude, b.constant(wide, 0x7C00))
    value = b.select(special, b.or_(scaled, b.constant(wide, 0x7F800000)), scaled)
    return b.bitcast(b.or_(value, sign), vector("f32", lanes))


@operation(ADDRESS, returns=FLOATS)
def load_bfloat16s(address: int) -> Lanes:
    """16 bfloat16 as float32."""
    return (read(address, "<u2", 16).astype(np.uint32) << np.uint32(16)).view(np.float32)


@load_bfloat16s.lowered
def _(b: Builder, address: Value) -> Value:
    return widened_bfloat16(b, b.load_from(address, vector("i16", 16)))


@operation(ADDRESS, INTEGER, returns=FLOATS)
def load_some_bfloat16s(address: int, count: int) -> Lanes:
    """The first `count` (0 .. 16) bfloat16 as float32, then zeros."""
    return (padded(read(address, "<u2", count), 16).astype(np.uint32) << np.uint32(16)).view(np.float32)


@load_some_bfloat16s.lowered
def _(b: Builder, address: Value, count: Value) -> Value:
    return widened_bfloat16(b, load_partial(b, address, count, vector("i16", 16), 2))


def widened_bfloat16(b: Builder, bits: Value) -> Value:
    """Bits of bfloat16 (i16 lanes) as float32, whose upper halves they are."""
    wide = vector("i32", bits.type.count)
    return b.bitcast(b.shl(b.zext(bits, wide), b.constant(wide, 16)), vector("f32", bits.type.count))


# -- one number in several lanes


@operation(ADDRESS, returns=FLOATS)
def load_float_everywhere(address: int) -> Lanes:
    """The float32 at an address in all lanes."""
    return np.repeat(read(address, "<f4", 1), 16)


@load_float_everywhere.lowered
def _(b: Builder, address: Value) -> Value:
    return b.splat(b.load_from(address, ELEMENTS["f32"]), 16)


@operation(ADDRESS, returns=FLOATS)
def load_float_pair(address: int) -> Lanes:
    """The two float32 at an address, the first in lanes 0 .. 7, the second in 8 .. 15."""
    return np.repeat(read(address, "<f4", 2), 8)


@load_float_pair.lowered
def _(b: Builder, address: Value) -> Value:
    return b.pick(b.load_from(address, vector("f32", 2)), [0] * 8 + [1] * 8)


@operation(ADDRESS, INTEGER, returns=FLOATS)
def load_float16_column(address: int, stride: int) -> Lanes:
    """16 float16, `stride` bytes apart, as float32."""
    return widened(np.array([read(address + lane * stride, "<f2", 1)[0] for lane in range(16)]))


@load_float16_column.lowered
def _(b: Builder, address: Value, stride: Value) -> Value:
    column = b.constant(vector("i16", 16), 0)
    for lane in range(16):
        column = b.insert_element(column, b.load_from(address, ELEMENTS["i16"]), b.int32(lane))
        address = b.add(address, stride)
    return widened_float16(b, column)
