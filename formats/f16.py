"""F16: 16-bit IEEE floats, as they are. Layout: `fourcc.formats.plain`."""

from fourcc.formats.plain import plain

F16 = plain("F16", "16-bit IEEE floats", "<f2", {"safetensors": "F16", "ggml": 1}, encoder=True)
