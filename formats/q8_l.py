"""Q8_L: 8-bit codes, a scale and an offset for each group. Layout: `fourcc.formats.families.levels_above`."""

from fourcc.formats.families.levels_above import levels_above

Q8_L = levels_above("Q8_L", 8)
