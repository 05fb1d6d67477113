"""Q4_L: 4-bit codes, a scale and an offset for each group. Layout: `fourcc.formats.families.levels_above`."""

from fourcc.formats.families.levels_above import levels_above

Q4_L = levels_above("Q4_L", 4)
