"""Q4_X: 4-bit codes, scale and zero point for each group, and an index. Layout: `fourcc.formats.families.affine`."""

from fourcc.formats.families.affine import indexed

Q4_X = indexed("Q4_X", 4, "uint4 indexed groups")
