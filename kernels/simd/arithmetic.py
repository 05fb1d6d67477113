"""Arithmetic on whole vectors. Every operation rounds once; only `multiply_add` fuses two."""

from __future__ import annotations

import numpy as np

from fourcc.kernels.simd.builder import Builder, Value, llvm_type, vector
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.operation import (
    DOUBLE,
    DOUBLES,
    FLOAT,
    FLOATS,
    INTEGER,
    INTS,
    OperandKind,
    operation,
)


def _alike(first: OperandKind, *others: OperandKind) -> OperandKind:
    """The common kind of all operands. Raises TypeError where they differ."""
    if any(other != first for other in others):
        raise TypeError(f"{first} does not go with {', '.join(map(str, others))}")
    return first


def _is_float(value: Value) -> bool:
    return str(value.type.element if hasattr(value.type, "element") else value.type) in {"float", "double"}


@operation(returns=_alike)
def add(x: Lanes, y: Lanes) -> Lanes:
    """x + y."""
    return x + y


@add.lowered
def _(b: Builder, x: Value, y: Value) -> Value:
    return b.fadd(x, y) if _is_float(x) else b.add(x, y)


@operation(returns=_alike)
def subtract(x: Lanes, y: Lanes) -> Lanes:
    """x - y."""
    return x - y


@subtract.lowered
def _(b: Builder, x: Value, y: Value) -> Value:
    return b.fsub(x, y) if _is_float(x) else b.sub(x, y)


@operation(returns=_alike)
def multiply(x: Lanes, y: Lanes) -> Lanes:
    """x * y."""
    return x * y


@multiply.lowered
def _(b: Builder, x: Value, y: Value) -> Value:
    return b.fmul(x, y) if _is_float(x) else b.mul(x, y)


@operation(returns=_alike)
def divide(x: Lanes, y: Lanes) -> Lanes:
    """x / y of floats."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return x / y


@divide.lowered
def _(b: Builder, x: Value, y: Value) -> Value:
    return b.fdiv(x, y)


@operation(returns=_alike)
def multiply_add(x: Lanes, y: Lanes, z: Lanes) -> Lanes:
    """x * y + z, with one rounding where the machine can, else two. Not for numbers that reach a file."""
    return x * y + z


@multiply_add.lowered
def _(b: Builder, x: Value, y: Value, z: Value) -> Value:
    return b.multiply_add(x, y, z)


@operation(returns=_alike)
def absolute(x: Lanes) -> Lanes:
    """|x| of floats."""
    return np.abs(x)


@absolute.lowered
def _(b: Builder, x: Value) -> Value:
    return b.elementwise("fabs", x)


@operation(returns=_alike)
def larger(x: Lanes, y: Lanes) -> Lanes:
    """The larger of two floats that are not NaN."""
    return np.maximum(x, y)


@larger.lowered
def _(b: Builder, x: Value, y: Value) -> Value:
    return b.select(b.fcmp_ordered(">", x, y), x, y)


@operation(returns=_alike)
def smaller(x: Lanes, y: Lanes) -> Lanes:
    """The smaller of two floats that are not NaN."""
    return np.minimum(x, y)


@smaller.lowered
def _(b: Builder, x: Value, y: Value) -> Value:
    return b.select(b.fcmp_ordered("<", x, y), x, y)


@operation(FLOATS, returns=FLOAT)
def sum_floats(x: Lanes) -> np.float32:
    """Sum of the lanes: the upper half is added to the lower half until one lane is left."""
    while len(x) > 1:
        x = x[: len(x) // 2] + x[len(x) // 2 :]
    return np.float32(x[0])


@sum_floats.lowered
def _(b: Builder, x: Value) -> Value:
    while x.type.count > 1:
        low, high = b.split(x, 2)
        x = b.fadd(low, high)
    return b.extract_element(x, b.int32(0))


@operation(returns=lambda kind: OperandKind(kind.element))
def largest(x: Lanes) -> Lanes:
    """The largest lane of floats that are not NaN."""
    return x.max()  # type: ignore[no-any-return]  # numpy's


@largest.lowered
def _(b: Builder, x: Value) -> Value:
    while x.type.count > 1:
        low, high = b.split(x, 2)
        x = b.select(b.fcmp_ordered(">", low, high), low, high)
    return b.extract_element(x, b.int32(0))


# -- the same number in every lane


@operation(FLOAT, returns=FLOATS)
def floats_of(value: float) -> Lanes:
    """A float in every lane."""
    return np.full(16, value, np.float32)


@floats_of.lowered
def _(b: Builder, value: Value) -> Value:
    return b.splat(value, 16)


@operation(DOUBLE, returns=DOUBLES)
def doubles_of(value: float) -> Lanes:
    """A double in every lane."""
    return np.full(8, value, np.float64)


@doubles_of.lowered
def _(b: Builder, value: Value) -> Value:
    return b.splat(value, 8)


@operation(INTEGER, returns=INTS)
def ints_of(value: int) -> Lanes:
    """An int32 in every lane."""
    return np.full(16, value, np.int32)


@ints_of.lowered
def _(b: Builder, value: Value) -> Value:
    return b.splat(b.trunc(value, vector("i32", 1).element), 16)


@operation(returns=FLOATS)
def no_floats() -> Lanes:
    """Sixteen zeros."""
    return np.zeros(16, np.float32)


@no_floats.lowered
def _(b: Builder) -> Value:
    return b.constant(llvm_type(FLOATS), 0.0)


@operation(returns=INTS)
def no_ints() -> Lanes:
    """Sixteen zeros."""
    return np.zeros(16, np.int32)


@no_ints.lowered
def _(b: Builder) -> Value:
    return b.constant(llvm_type(INTS), 0)


# -- conversions


@operation(INTS, returns=FLOATS)
def floats_from_ints(x: Lanes) -> Lanes:
    """int32 as float32, rounded half to even."""
    return x.astype(np.float32)


@floats_from_ints.lowered
def _(b: Builder, x: Value) -> Value:
    return b.sitofp(x, llvm_type(FLOATS))


@operation(FLOATS, returns=FLOATS)
def rounded(x: Lanes) -> Lanes:
    """The nearest integers, half to even."""
    return np.rint(x)


@rounded.lowered
def _(b: Builder, x: Value) -> Value:
    if b.target.name != "portable":
        return b.elementwise("rint", x)
    magic = b.constant(x.type, 1.5 * 2.0**23)  # |x| below 2^22: the sum has no bits after the point
    return b.fsub(b.fadd(x, magic), magic)


@operation(FLOATS, returns=INTS)
def ints_from_floats(x: Lanes) -> Lanes:
    """Floats truncated toward zero; undefined for a float that no int32 holds."""
    with np.errstate(invalid="ignore"):
        return x.astype(np.int32)


@ints_from_floats.lowered
def _(b: Builder, x: Value) -> Value:
    return b.fptosi(x, llvm_type(INTS))


# -- bits


@operation(INTS, INTEGER, returns=INTS)
def shifted_right(x: Lanes, bits: int) -> Lanes:
    """Every int32 shifted right by `bits`; zeros come in from the left."""
    return (x.view(np.uint32) >> np.uint32(bits)).view(np.int32)


@shifted_right.lowered
def _(b: Builder, x: Value, bits: Value) -> Value:
    return b.lshr(x, b.splat(b.trunc(bits, x.type.element), 16))
