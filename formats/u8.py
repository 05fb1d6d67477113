"""U8: 8-bit unsigned integers, as they are. Layout: `fourcc.formats.families.plain`."""

from fourcc.formats.families.plain import plain

U8 = plain("U8", "8-bit unsigned integers", "|u1", {"safetensors": "U8"}, encoder=False)
