"""Q8_X: 8-bit codes, a scale and a zero point for each group, and an index. Layout: `fourcc.formats.affine`."""

from fourcc.formats.affine import affine

Q8_X = affine("Q8_X", 8, "uint8 indexed groups", indexed=True)
