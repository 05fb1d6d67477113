"""TC4: trellis-coded weights of 4 bits. Layout: `fourcc.formats.families.trellis`."""

from fourcc.formats.families.trellis import trellis

TC4 = trellis(4)
