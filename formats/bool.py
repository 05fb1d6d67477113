"""BOOL: truth values, one byte each, as they are. Layout: `fourcc.formats.families.plain`."""

from fourcc.formats.families.plain import plain

BOOL = plain("BOOL", "truth values, one byte each", "|b1", {"safetensors": "BOOL"}, encoder=False)
