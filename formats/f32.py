"""F32: 32-bit IEEE floats, as they are. Layout: `fourcc.formats.families.plain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fourcc.formats.families.plain import plain
from fourcc.formats.layouts.bounds import exact

if TYPE_CHECKING:
    from fourcc.kernels.kernel import Kernel


def kernel() -> Kernel:
    """The products of `fourcc.kernels.f32`."""
    from fourcc.kernels.f32 import KERNEL

    return KERNEL


F32 = plain(
    "F32", "32-bit IEEE floats", "<f4", {"safetensors": "F32", "ggml": 0}, encoder=True, kernel=kernel, bound=exact
)
