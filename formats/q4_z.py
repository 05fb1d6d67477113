"""Q4_Z: 4-bit codes, a scale and a zero point for each group along a row. Layout: `fourcc.formats.families.affine`."""

from fourcc.formats.families.affine import affine

Q4_Z = affine("Q4_Z", 4, "uint4 groups")
