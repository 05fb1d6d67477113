"""I32: 32-bit signed integers, as they are. Layout: `fourcc.formats.families.plain`."""

from fourcc.formats.families.plain import plain

I32 = plain("I32", "32-bit signed integers", "<i4", {"safetensors": "I32", "ggml": 26}, encoder=False)
