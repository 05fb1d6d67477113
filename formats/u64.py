"""U64: 64-bit unsigned integers, as they are. Layout: `fourcc.formats.families.plain`."""

from fourcc.formats.families.plain import plain

U64 = plain("U64", "64-bit unsigned integers", "<u8", {"safetensors": "U64"}, encoder=False)
