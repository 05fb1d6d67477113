"""TC3: trellis-coded weights of 3 bits. Layout: `fourcc.formats.families.trellis`."""

from fourcc.formats.families.trellis import trellis

TC3 = trellis(3)
