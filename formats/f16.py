"""F16: 16-bit IEEE floats, as they are. Layout: `fourcc.formats.plain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fourcc.formats.plain import plain

if TYPE_CHECKING:
    from fourcc.kernels.kernel import Kernel


def kernel() -> Kernel:
    """The products of `fourcc.kernels.f16`."""
    from fourcc.kernels.f16 import KERNEL

    return KERNEL


F16 = plain("F16", "16-bit IEEE floats", "<f2", {"safetensors": "F16", "ggml": 1}, encoder=True, kernel=kernel)
