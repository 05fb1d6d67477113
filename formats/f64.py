"""F64: 64-bit IEEE floats, as they are. Layout: `fourcc.formats.families.plain`."""

from fourcc.formats.families.plain import plain
from fourcc.formats.layouts.error_bounds import exact

F64 = plain("F64", "64-bit IEEE floats", "<f8", {"safetensors": "F64", "ggml": 28}, encoder=True, bound=exact)
