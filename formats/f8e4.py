"""F8E4: 8-bit floats with 4 exponent bits, as in safetensors checkpoints (``float8_e4m3fn``).

::

    values   (rows, cols) uint8: S EEEE MMM, exponent bias 7

Decode: `fourcc.formats.layouts.e4m3`. There is no infinity; E = 15 with M = 7 is NaN. The format carries such weights
of a checkpoint as they are; it has no encoder.
"""

from fourcc import Array, Format, Geometry, Parts, per_weight
from fourcc.formats.layouts.e4m3 import TABLE


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
    foreign={"safetensors": "F8_E4M3", "torch": "float8_e4m3fn"},
    decode=decode,
)
