"""Q4_M: 4-bit codes above the tensor's minimum. Layout: `fourcc.formats.families.above_minimum`."""

from fourcc.formats.families.above_minimum import above_minimum

Q4_M = above_minimum("Q4_M", 4, "uint4 minimum")
