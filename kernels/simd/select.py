"""Comparisons of lanes: searches, counts of bounds, selections; also bits of int32, and codes as int32."""

from __future__ import annotations

import numpy as np

from fourcc.kernels.simd.builder import ELEMENTS, Builder, Value, llvm_type, vector
from fourcc.kernels.simd.interpreted import Lanes, padded, read
from fourcc.kernels.simd.operation import (
    ADDRESS,
    DOUBLE,
    FLOAT,
    FLOATS,
    INTEGER,
    INTS,
    Operation,
    operation,
)
from fourcc.kernels.simd.partial import load_partial


@operation(FLOATS, FLOATS, FLOAT, returns=INTEGER)
def first_of_magnitude(low: Lanes, high: Lanes, magnitude: float) -> int:
    """The first of 32 lanes whose |x| is `magnitude`; 32 where there is none."""
    found = np.flatnonzero(np.abs(np.concatenate([low, high])) == magnitude)
    return int(found[0]) if len(found) else 32


@first_of_magnitude.lowered
def _(b: Builder, low: Value, high: Value, magnitude: Value) -> Value:
    wanted = b.splat(magnitude, 16)
    masks = [b.bitcast(b.fcmp_ordered("==", b.elementwise("fabs", x), wanted), ELEMENTS["i16"]) for x in (low, high)]
    first, second = (b.zext(mask, ELEMENTS["i32"]) for mask in masks)
    both = b.or_(first, b.shl(second, b.int32(16)))
    place = b.call("llvm.cttz.i32", ELEMENTS["i32"], both, b.constant(ELEMENTS["i1"], 0))
    return b.zext(place, ELEMENTS["i64"])


@operation(INTS, FLOATS, DOUBLE, returns=INTS)
def counted_from(count: Lanes, x: Lanes, bound: float) -> Lanes:
    """The counts, plus one in every lane whose x is at least `bound`."""
    return count + (x.astype(np.float64) >= bound).astype(np.int32)


@counted_from.lowered
def _(b: Builder, count: Value, x: Value, bound: Value) -> Value:
    eight = b.splat(bound, 8)
    wide = (b.fpext(half, vector("f64", 8)) for half in b.split(x, 2))
    masks = [b.sext(b.fcmp_ordered(">=", half, eight), vector("i32", 8)) for half in wide]
    return b.sub(count, b.join(masks))


@operation(FLOATS, FLOATS, FLOATS, FLOATS, returns=FLOATS)
def where_less(x: Lanes, y: Lanes, this: Lanes, other: Lanes) -> Lanes:
    """`this` in lanes where x is less than y, else `other`, also for NaN."""
    return np.where(x < y, this, other)


@where_less.lowered
def _(b: Builder, x: Value, y: Value, this: Value, other: Value) -> Value:
    return b.select(b.fcmp_ordered("<", x, y), this, other)


@operation(FLOATS, FLOATS, FLOATS, FLOATS, returns=FLOATS)
def where_equal(x: Lanes, y: Lanes, this: Lanes, other: Lanes) -> Lanes:
    """`this` in lanes where x is equal to y, else `other`, also for NaN."""
    return np.where(x == y, this, other)


@where_equal.lowered
def _(b: Builder, x: Value, y: Value, this: Value, other: Value) -> Value:
    return b.select(b.fcmp_ordered("==", x, y), this, other)


def stairs(borders: tuple[float, ...], values: tuple[float, ...]) -> Operation:
    """The operation for a step function of x: it returns the value whose number is the count of `borders` up to x.

    Args:
        borders: ascending.
        values: one more than borders.
    """
    table = np.array(values, np.float32)

    @operation(FLOATS, returns=FLOATS)
    def stepped(x: Lanes) -> Lanes:
        chosen: Lanes = table[(x[:, None] >= np.array(borders, np.float32)).sum(axis=1)]
        return chosen

    @stepped.lowered
    def _(b: Builder, x: Value) -> Value:
        level = b.constant(x.type, values[0])
        for border, value in zip(borders, values[1:], strict=True):
            level = b.select(b.fcmp_ordered(">=", x, b.constant(x.type, border)), b.constant(x.type, value), level)
        return level

    stepped.meaning.__qualname__ = f"stepped_{'_'.join(map(str, borders + values))}"
    return stepped


# -- bits of int32 lanes


@operation(INTS, INTS, returns=INTS)
def either(x: Lanes, y: Lanes) -> Lanes:
    """Bits that are set in x or in y."""
    return x | y


@either.lowered
def _(b: Builder, x: Value, y: Value) -> Value:
    return b.or_(x, y)


@operation(INTS, INTS, returns=INTS)
def both(x: Lanes, y: Lanes) -> Lanes:
    """Bits that are set in x and in y."""
    return x & y


@both.lowered
def _(b: Builder, x: Value, y: Value) -> Value:
    return b.and_(x, y)


@operation(INTS, INTEGER, returns=INTS)
def shifted_left(x: Lanes, bits: int) -> Lanes:
    """Every int32 shifted left by `bits`."""
    return (x.view(np.uint32) << np.uint32(bits)).view(np.int32)


@shifted_left.lowered
def _(b: Builder, x: Value, bits: Value) -> Value:
    return b.shl(x, b.splat(b.trunc(bits, x.type.element), 16))


@operation(INTS, INTEGER, returns=INTEGER)
def gathered_bits(x: Lanes, bits: int) -> int:
    """Bit `bits` of 16 int32 as one number, whose lowest bit is the first lane's."""
    return int(((x.view(np.uint32) >> np.uint32(bits) & 1) << np.arange(16, dtype=np.uint32)).sum())


@gathered_bits.lowered
def _(b: Builder, x: Value, bits: Value) -> Value:
    shifted = b.lshr(x, b.splat(b.trunc(bits, x.type.element), 16))
    return b.zext(b.bitcast(b.trunc(shifted, vector("i1", 16)), ELEMENTS["i16"]), ELEMENTS["i64"])


@operation(INTS, INTS, returns=INTS)
def smaller_ints(x: Lanes, y: Lanes) -> Lanes:
    """The smaller of two int32."""
    return np.minimum(x, y)


@smaller_ints.lowered
def _(b: Builder, x: Value, y: Value) -> Value:
    return b.select(b.icmp_signed("<", x, y), x, y)


# -- codes as int32


@operation(ADDRESS, returns=INTS)
def load_bytes_as_ints(address: int) -> Lanes:
    """16 unsigned bytes as int32."""
    return read(address, "|u1", 16).astype(np.int32)


@load_bytes_as_ints.lowered
def _(b: Builder, address: Value) -> Value:
    return b.zext(b.load_from(address, vector("i8", 16)), llvm_type(INTS))


@operation(ADDRESS, returns=INTS)
def load_nibble_pairs(address: int) -> Lanes:
    """The nibbles of 8 bytes as the low four bits of 16 int32, high nibble first; the higher bits are undefined."""
    return _pairs(read(address, "|u1", 8))


@load_nibble_pairs.lowered
def _(b: Builder, address: Value) -> Value:
    return _spread(b, b.load_from(address, vector("i8", 8)))


@operation(ADDRESS, INTEGER, returns=INTS)
def load_some_nibble_pairs(address: int, count: int) -> Lanes:
    """The nibbles of the first `count` (0 .. 8) bytes like `load_nibble_pairs`, then zeros."""
    return _pairs(padded(read(address, "|u1", count), 8))


@load_some_nibble_pairs.lowered
def _(b: Builder, address: Value, count: Value) -> Value:
    return _spread(b, load_partial(b, address, count, vector("i8", 8), 1))


def _pairs(raw: Lanes) -> Lanes:
    return np.repeat(raw.astype(np.int32), 2) >> np.tile(np.array([4, 0], np.int32), 8)


def _spread(b: Builder, raw: Value) -> Value:
    twice = b.zext(b.pick(raw, [lane // 2 for lane in range(16)]), llvm_type(INTS))
    return b.lshr(twice, b.constant(twice.type, [4, 0] * 8))


@operation(FLOATS, FLOATS, returns=FLOATS)
def copied_sign(magnitude: Lanes, sign: Lanes) -> Lanes:
    """The magnitude of one vector with the sign of the other."""
    return np.copysign(magnitude, sign)


@copied_sign.lowered
def _(b: Builder, magnitude: Value, sign: Value) -> Value:
    return b.elementwise("copysign", magnitude, sign)
