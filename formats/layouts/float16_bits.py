"""The value of a float16's bits, for block decoders that put them together from several fields."""

from typing import Any

import numpy as np

# By sign and exponent; an exponent of 0 is that of 1, without the leading one.
_EXPONENTS = np.arange(32)
_POWERS = np.ldexp(np.float32(1), np.maximum(_EXPONENTS, 1) - 25).astype(np.float32)
POWERS = np.concatenate([_POWERS, -_POWERS])
LEADING = np.where(_EXPONENTS > 0, 1024, 0)
INFINITE = 31  # the exponent of infinities and NaNs
INFINITIES = np.array([np.inf, -np.inf, np.nan, np.nan], np.float32)


def value_of(bits: Any) -> Any:  # noqa: ANN401 - a number, or a traced value
    """The float32 of a float16's 16 bits; any NaN becomes a NaN."""
    exponent, fraction = bits >> 10 & 31, bits & 1023
    finite = POWERS[bits >> 10] * (fraction | LEADING[exponent])
    infinite = INFINITIES[bits >> 15 | (fraction != 0) << 1]
    return np.where(exponent == INFINITE, infinite, finite)
