"""TC2: trellis-coded weights of 2 bits. Layout: `fourcc.formats.families.trellis`."""

from fourcc.formats.families.trellis import trellis

TC2 = trellis(2)
