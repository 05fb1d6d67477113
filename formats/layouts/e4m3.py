"""E4M3, the 8-bit floats of weights and of scales: sign, 4 bits of exponent (bias 7), 3 of mantissa; no infinity.

The number of byte S EEEE MMM is (-1)^S 2^(E - 7) (1 + M / 8), for E = 0 (-1)^S 2^-6 M / 8; 7f and ff are NaN.
"""

import numpy as np

from fourcc import Array, Floats

LARGEST = 448.0
LEAST_EXPONENT = -6  # of a normal number
LEAST_NORMAL = np.float32(2.0**LEAST_EXPONENT)
STEPS = np.ldexp(np.float32(1), np.maximum(np.arange(16), 1) - 10)  # from one number to the next, by E
NAN = np.float32(np.nan)


def numbers(byte: Array) -> Array:
    """The number of each byte, float32; only operations that a block decoder may use."""
    exponent, mantissa = byte >> 3 & 15, byte & 7
    magnitude = np.where(exponent > 0, 8 + mantissa, mantissa) * STEPS[exponent]
    magnitude = np.where((byte & 127) == 127, NAN, magnitude)
    return np.where(byte < 128, magnitude, -magnitude)


def _table() -> Floats:
    """The number of each byte, float32 (256,)."""
    values: Floats = numbers(np.arange(256)).astype(np.float32)
    return values


TABLE = _table()


def nearest(w: Array) -> Array:
    """The byte of the nearest number, uint8 of the same shape: ties go to the even byte, larger magnitudes to 448.

    A negative weight that is nearest to 0 becomes -0. NaN is no argument.
    """
    magnitude = np.minimum(np.abs(w), np.float32(LARGEST))
    exponent = np.frexp(np.maximum(magnitude, LEAST_NORMAL))[1] - 1
    eighths = np.rint(np.ldexp(magnitude, 3 - exponent)).astype(np.int32)  # exact but for the rounding; 0 .. 16
    byte = 8 * (exponent - LEAST_EXPONENT) + eighths
    signed: Array = (byte + 128 * np.signbit(w)).astype(np.uint8)
    return signed
