"""F8E8: powers of two in a byte, as the scales of safetensors checkpoints (``float8_e8m0fnu``).

::

    values   (rows, cols) uint8: E, bias 127

Decode: w = 2^(E - 127), in float32; E = 255 is NaN. The format carries such scales as they are; it has no encoder.
"""

from fourcc import Array, Format, Geometry, Parts, per_weight
from fourcc.formats.layouts.e8m0 import TABLE


def decode(parts: Parts, geom: Geometry) -> Array:
    """Bytes (rows, cols) -> float32 (rows, cols)."""
    return TABLE[parts["values"]]


F8E8 = Format(
    tag="F8E8",
    name="F8_E8M0",
    summary="powers of two, 8 exponent bits",
    block=1,
    parts=(per_weight("values", "u1"),),
    nonfinite=True,
    foreign={"safetensors": "F8_E8M0", "torch": "float8_e8m0fnu"},
    decode=decode,
)
