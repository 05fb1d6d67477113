"""F32: 32-bit IEEE floats, as they are. Layout: `fourcc.formats.plain`."""

from fourcc.formats.plain import plain

F32 = plain("F32", "32-bit IEEE floats", "<f4", {"safetensors": "F32", "ggml": 0}, encoder=True)
