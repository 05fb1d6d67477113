"""I8: 8-bit signed integers, as they are. Layout: `fourcc.formats.families.plain`."""

from fourcc.formats.families.plain import plain

I8 = plain("I8", "8-bit signed integers", "|i1", {"safetensors": "I8", "ggml": 24}, encoder=False)
