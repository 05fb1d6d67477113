"""U16: 16-bit unsigned integers, as they are. Layout: `fourcc.formats.families.plain`."""

from fourcc.formats.families.plain import plain

U16 = plain("U16", "16-bit unsigned integers", "<u2", {"safetensors": "U16"}, encoder=False)
