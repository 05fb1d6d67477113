"""Functions that rise from -1 to 1: the hyperbolic tangent and the error function.

Each has a polynomial in x^2 near 0, so that small values keep their digits, and an exponential further out. The
coefficients are minimax fits in float64, rounded to float32.
"""

from __future__ import annotations

import math

import numpy as np

from fourcc.kernels.simd.builder import Builder, Value
from fourcc.kernels.simd.elementary import exponential
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.operation import FLOATS, operation

TANH_NEAR = 0.625  # up to here tanh x = x + x^3 P(x^2)
TANH_POWERS = (-5.7216380e-3, 2.0655226e-2, -5.3745147e-2, 1.3331515e-1, -3.3333284e-1)
ERF_NEAR = 1.0  # up to here erf x = x + x P(x^2)
ERF_POWERS = (7.8891229e-5, -8.0208422e-4, 5.1895357e-3, -2.6854444e-2, 1.1283600e-1, -3.7612626e-1, 1.2837911e-1)
ERF_FAR = 4.0  # from here on erf x is 1 as a float32; up to here it is 1 - e^P(x)
ERFC_LOGARITHM = (1.8557401e-4, -2.9396072e-3, 2.1805318e-2, -1.0303737e-1, -6.3822567e-1, -1.1270400, -3.5371952e-4)


@operation(FLOATS, returns=FLOATS)
def tanh(x: Lanes) -> Lanes:
    """The hyperbolic tangent, within 2 units in the last place; NaN for NaN."""
    return np.tanh(x.astype(np.float64)).astype(np.float32)


@tanh.lowered
def _(b: Builder, x: Value) -> Value:
    size, square = b.elementwise("fabs", x), b.fmul(x, x)
    near = b.multiply_add(b.fmul(x, square), _polynomial(b, square, TANH_POWERS), x)
    power = b.fadd(exponential.build(b, b.fadd(size, size)), _constant(b, x, 1.0))  # e^2x + 1
    far = b.fsub(_constant(b, x, 1.0), b.fdiv(_constant(b, x, 2.0), power))
    value = b.select(b.fcmp_ordered("<", size, _constant(b, x, TANH_NEAR)), near, far)
    return b.elementwise("copysign", value, x)


@operation(FLOATS, returns=FLOATS)
def erf(x: Lanes) -> Lanes:
    """The error function, within 2 units in the last place; NaN for NaN."""
    return np.array([math.erf(each) for each in x], np.float32)


@erf.lowered
def _(b: Builder, x: Value) -> Value:
    size, most = b.elementwise("fabs", x), _constant(b, x, ERF_FAR)
    near = b.multiply_add(x, _polynomial(b, b.fmul(x, x), ERF_POWERS), x)
    size = b.select(b.fcmp_ordered(">", size, most), most, size)
    far = b.fsub(_constant(b, x, 1.0), exponential.build(b, _polynomial(b, size, ERFC_LOGARITHM)))
    value = b.select(b.fcmp_ordered("<", size, _constant(b, x, ERF_NEAR)), near, far)
    return b.elementwise("copysign", value, x)


def _constant(b: Builder, like: Value, value: float) -> Value:
    return b.constant(like.type, float(np.float32(value)))


def _polynomial(b: Builder, x: Value, powers: tuple[float, ...]) -> Value:
    """The polynomial with these coefficients, that of the highest power first."""
    value = _constant(b, x, powers[0])
    for power in powers[1:]:
        value = b.multiply_add(value, x, _constant(b, x, power))
    return value
