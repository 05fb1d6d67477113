"""Q8_Z: 8-bit codes, a scale and a zero point for each group along a row. Layout: `fourcc.formats.families.affine`."""

from fourcc.formats.families.affine import affine

Q8_Z = affine("Q8_Z", 8, "uint8 groups")
