"""I64: 64-bit signed integers, as they are. Layout: `fourcc.formats.families.plain`."""

from fourcc.formats.families.plain import plain

I64 = plain("I64", "64-bit signed integers", "<i8", {"safetensors": "I64", "ggml": 27}, encoder=False)
