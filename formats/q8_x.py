"""Q8_X: 8-bit codes, scale and zero point for each group, and an index. Layout: `fourcc.formats.families.affine`."""

from fourcc.formats.families.affine import indexed

Q8_X = indexed("Q8_X", 8, "uint8 indexed groups")
