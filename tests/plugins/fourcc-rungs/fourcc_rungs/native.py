"""Rng3, the third rung: a kernel of its own, written with vectors of sixteen floats.

With q the codes of a row and x an activation, y = scale * sum of q x: the scale is a factor of the whole sum.
"""

from fourcc import Format
from fourcc_rungs.layout import LAYOUT
from fourcc_rungs.numpy_only import decode

RNG3 = Format(
    tag="Rng3",
    decode=decode,
    kernel="fourcc_rungs.native_kernel:KERNEL",  # imported when products are wanted: a listing loads no kernels
    **LAYOUT,
)
