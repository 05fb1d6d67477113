"""I16: 16-bit signed integers, as they are. Layout: `fourcc.formats.families.plain`."""

from fourcc.formats.families.plain import plain

I16 = plain("I16", "16-bit signed integers", "<i2", {"safetensors": "I16", "ggml": 25}, encoder=False)
