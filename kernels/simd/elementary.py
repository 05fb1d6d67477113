"""Elementary functions: exponentials and square roots; also a selection of the first lanes."""

from __future__ import annotations

from math import factorial, log

import numpy as np

from fourcc.kernels.simd.builder import Builder, Value, llvm_type, vector
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.operation import DOUBLES, FLOAT, FLOATS, INTEGER, INTS, LONGS, operation

LOWEST, HIGHEST = -87.33, 88.37  # e to these bounds is a normal float32; x is clamped to them
LOG2_E = 1.44269504088896341
LN2_HIGH, LN2_LOW = 0.693359375, -2.12194440e-4  # ln 2 in two parts: the first has few bits, so n * high is exact
POWERS = (1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1)


@operation(FLOATS, returns=FLOATS)
def exponential(x: Lanes) -> Lanes:
    """The exponential e^x, within 2 units in the last place; NaN for NaN.

    With n = x / ln 2 rounded, e^x = 2^n e^r, where |r| is at most ln 2 / 2 and e^r a polynomial (Cephes' coefficients).
    """
    powers: Lanes = np.exp(np.clip(x, LOWEST, HIGHEST), dtype=np.float32)
    return powers


@exponential.lowered
def _(b: Builder, x: Value) -> Value:
    kind = llvm_type(FLOATS)

    def constant(value: float) -> Value:
        return b.constant(kind, float(np.float32(value)))

    low = b.select(b.fcmp_ordered("<", x, constant(LOWEST)), constant(LOWEST), x)
    x = b.select(b.fcmp_ordered(">", low, constant(HIGHEST)), constant(HIGHEST), low)
    magic = constant(1.5 * 2.0**23)  # |n| is small, so adding this rounds to whole numbers
    n = b.fsub(b.fadd(b.fmul(x, constant(LOG2_E)), magic), magic)
    r = b.fsub(b.fsub(x, b.fmul(n, constant(LN2_HIGH))), b.fmul(n, constant(LN2_LOW)))
    power = constant(POWERS[0])
    for coefficient in POWERS[1:]:
        power = b.multiply_add(power, r, constant(coefficient))
    value = b.fadd(b.multiply_add(power, b.fmul(r, r), r), constant(1.0))
    whole = b.add(b.fptosi(n, llvm_type(INTS)), b.constant(llvm_type(INTS), 127))
    return b.fmul(value, b.bitcast(b.shl(whole, b.constant(whole.type, 23)), kind))


VANISHES = -110.0  # e to this or less is 0 as a float32
LN2_FIRST = round(log(2) * 2**32) / 2**32  # has few bits, so the product with a whole number is exact
TERMS = 12  # the last power of the series


@operation(FLOATS, returns=FLOATS)
def rounded_exponential(x: Lanes) -> Lanes:
    """The exponential e^x of x <= 0, computed in float64 and rounded to float32; 0 for NaN.

    As in `exponential`, but with the series of e^r up to r^12 / 12!, whose remainder is below 2^-52 e^r.
    """
    with np.errstate(invalid="ignore"):
        powers = np.exp(np.where(x > VANISHES, x, np.float32(-np.inf)).astype(np.float64)).astype(np.float32)
    return np.asarray(powers, np.float32)


@rounded_exponential.lowered
def _(b: Builder, x: Value) -> Value:
    lowest = b.constant(x.type, VANISHES)
    halves = b.split(b.select(b.fcmp_ordered(">", x, lowest), x, lowest), 2)
    powers = [_double_exponential(b, b.fpext(each, llvm_type(DOUBLES))) for each in halves]
    return b.join([b.fptrunc(each, vector("f32", 8)) for each in powers])


def _double_exponential(b: Builder, x: Value) -> Value:
    kind, whole = llvm_type(DOUBLES), llvm_type(LONGS)
    magic = b.constant(kind, 1.5 * 2.0**52)  # adding this rounds to a whole number, which the low bits then hold
    shifted = b.fadd(b.fmul(x, b.constant(kind, 1 / log(2))), magic)
    n = b.fsub(shifted, magic)
    r = b.fsub(b.fsub(x, b.fmul(n, b.constant(kind, LN2_FIRST))), b.fmul(n, b.constant(kind, log(2) - LN2_FIRST)))
    value = b.constant(kind, 1 / factorial(TERMS))
    for power in reversed(range(TERMS)):
        value = b.multiply_add(value, r, b.constant(kind, 1 / factorial(power)))
    bits = b.shl(b.add(b.bitcast(shifted, whole), b.constant(whole, 1023)), b.constant(whole, 52))
    return b.fmul(value, b.bitcast(bits, kind))


@operation(FLOAT, returns=FLOAT)
def root(x: float) -> np.float32:
    """The square root."""
    square_root: np.float32 = np.sqrt(np.float32(x))
    return square_root


@root.lowered
def _(b: Builder, x: Value) -> Value:
    return b.elementwise("sqrt", x)


@operation(FLOATS, returns=FLOATS)
def roots(x: Lanes) -> Lanes:
    """The square root of every lane."""
    with np.errstate(invalid="ignore"):
        return np.sqrt(x)


@roots.lowered
def _(b: Builder, x: Value) -> Value:
    return b.elementwise("sqrt", x)


@operation(FLOATS, INTEGER, FLOAT, returns=FLOATS)
def first_lanes(x: Lanes, count: int, other: float) -> Lanes:
    """The first `count` lanes (all for 16 or more, none below 1), and `other` in the remaining lanes."""
    return np.where(np.arange(16) < count, x, np.float32(other)).astype(np.float32)


@first_lanes.lowered
def _(b: Builder, x: Value, count: Value, other: Value) -> Value:
    numbers = b.constant(vector("i64", 16), list(range(16)))
    taken = b.icmp_signed("<", numbers, b.splat(count, 16))
    return b.select(taken, x, b.splat(other, 16))
