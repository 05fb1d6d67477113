"""Q8_M: 8-bit codes above the tensor's minimum. Layout: `fourcc.formats.families.above_minimum`."""

from fourcc.formats.families.above_minimum import above_minimum

Q8_M = above_minimum("Q8_M", 8, "uint8 minimum")
