"""Rng3, the third rung: a kernel of its own, written with vectors of sixteen floats.

With q the codes of a row and x an activation: y = scale * sum of q x. The scale leaves the sum.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fourcc import Format
from fourcc_rungs.layout import bound, codes, decode, encode, spec

if TYPE_CHECKING:
    from fourcc.kernels.kernel import Kernel


def kernel() -> Kernel:
    """Imported when products are wanted: a listing loads no kernels."""
    from fourcc_rungs.native_kernel import KERNEL

    return KERNEL


RNG3 = Format(spec=spec("Rng3"), decode=decode, encode=encode, codes=codes, bound=bound, kernel=kernel)
