"""BOOL: truth values, one byte each, as they are. Layout: `fourcc.formats.plain`."""

from fourcc.formats.plain import plain

BOOL = plain("BOOL", "truth values, one byte each", "|b1", {"safetensors": "BOOL"}, encoder=False)
