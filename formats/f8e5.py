"""F8E5: 8-bit floats with 5 exponent bits, as in safetensors checkpoints (``float8_e5m2``).

::

    values   (rows, cols) uint8: S EEEEE MM, exponent bias 15; the upper half of a 16-bit IEEE float

Decode: the eight bits, followed by eight zero bits, are the float16; infinity and NaN are those of float16. The format
carries such checkpoints as they are; it has no encoder.
"""

import numpy as np

from fourcc import Array, Format, Geometry, Parts, per_weight


@np.errstate(invalid="ignore")  # some machines report a signalling NaN
def decode(parts: Parts, geom: Geometry) -> Array:
    """Bytes (rows, cols) -> float32 (rows, cols)."""
    halves = parts["values"].astype(np.uint16) << np.uint16(8)
    return halves.view(np.float16).astype(np.float32)


F8E5 = Format(
    tag="F8E5",
    name="F8_E5M2",
    summary="8-bit floats, 5 exponent and 2 mantissa bits",
    block=1,
    parts=(per_weight("values", "u1"),),
    nonfinite=True,
    foreign={"safetensors": "F8_E5M2", "torch": "float8_e5m2"},
    decode=decode,
)
