"""F8E4: 8-bit floats with 4 exponent bits, as in safetensors checkpoints (``float8_e4m3fn``).

::

    values   (rows, cols) uint8: S EEEE MMM, exponent bias 7

Decode: E above 0: w = (-1)^S * 2^(E - 7) * (1 + M / 8); E = 0: w = (-1)^S * 2^-6 * M / 8. There is no infinity; E = 15
with M = 7 is NaN. The format carries such checkpoints as they are; it has no encoder.
"""

import numpy as np

from fourcc import Array, Floats, Format, Geometry, Parts, per_weight


def _table() -> Floats:
    """The value of each byte, float32 (256,)."""
    byte = np.arange(256)
    exponent, mantissa = byte >> 3 & 15, byte & 7
    magnitude = np.ldexp(np.where(exponent > 0, 8 + mantissa, mantissa), np.maximum(exponent, 1) - 10)
    magnitude[byte & 127 == 127] = np.nan
    values: Floats = np.where(byte < 128, magnitude, -magnitude).astype(np.float32)
    return values


TABLE = _table()


def decode(parts: Parts, geom: Geometry) -> Array:
    """Bytes (rows, cols) -> float32 (rows, cols)."""
    return TABLE[parts["values"]]


F8E4 = Format(
    tag="F8E4",
    name="F8_E4M3",
    summary="8-bit floats, 4 exponent and 3 mantissa bits",
    block=1,
    parts=(per_weight("values", "u1"),),
    nonfinite=True,
    foreign={"safetensors": "F8_E4M3"},
    decode=decode,
)
