"""F64: 64-bit IEEE floats, as they are. Layout: `fourcc.formats.plain`."""

from fourcc.formats.bounds import exact
from fourcc.formats.plain import plain

F64 = plain("F64", "64-bit IEEE floats", "<f8", {"safetensors": "F64", "ggml": 28}, encoder=True, bound=exact)
