"""Q4_X: 4-bit codes, a scale and a zero point for each group, and an index. Layout: `fourcc.formats.affine`."""

from fourcc.formats.affine import affine

Q4_X = affine("Q4_X", 4, "uint4 indexed groups", indexed=True)
