"""U32: 32-bit unsigned integers, as they are. Layout: `fourcc.formats.families.plain`."""

from fourcc.formats.families.plain import plain

U32 = plain("U32", "32-bit unsigned integers", "<u4", {"safetensors": "U32"}, encoder=False)
