"""F32: 32-bit IEEE floats, as they are. Layout: `fourcc.formats.families.plain`."""

from fourcc.formats.families.plain import plain
from fourcc.formats.layouts.error_bounds import exact

F32 = plain(
    "F32",
    "32-bit IEEE floats",
    "<f4",
    {"safetensors": "F32", "ggml": 0},
    encoder=True,
    kernel="fourcc.kernels.f32:KERNEL",
    bound=exact,
)
