"""BF16: the upper half of a 32-bit float.

::

    values   (rows, cols) uint16: the float's sign, its 8 exponent bits, the first 7 bits of its mantissa

Decode: the sixteen bits, followed by sixteen zero bits, are the float32. Encode: drop the lower sixteen bits, rounding
half to even; a finite weight beyond the largest bfloat16 becomes infinite, which the core refuses. NaN keeps its sign
and becomes quiet.
"""

import numpy as np

from fourcc import Array, Blocks, Floats, Format, Geometry, Parts, per_weight


def decode(parts: Parts, geom: Geometry) -> Floats:
    """Bits (rows, cols) uint16 -> float32 (rows, cols)."""
    return (parts["values"].astype(np.uint32) << np.uint32(16)).view(np.float32)


def encode(blocks: Blocks) -> Parts:
    """The bits, rounded half to even."""
    bits = blocks.w.view(np.uint32)
    rounded = bits + (np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1)))
    quiet = bits | np.uint32(0x0040_0000)
    return {"values": (np.where(np.isnan(blocks.w), quiet, rounded) >> np.uint32(16)).astype(np.uint16)}


def bound(w: Array, geom: Geometry) -> Array:
    """Half an ulp of 8 significant bits, or of a denormal."""
    return np.abs(w) * 2.0**-8 + 2.0**-134


BF16 = Format(
    tag="BF16",
    summary="16-bit brain floats",
    block=1,
    parts=(per_weight("values", "u2"),),
    nonfinite=True,
    foreign={"safetensors": "BF16", "torch": "bfloat16", "ggml": 30},
    decode=decode,
    encode=encode,
    kernel="fourcc.kernels.bf16:KERNEL",
    bound=bound,
)
