"""Q8_M: 8-bit codes above the tensor's minimum. Layout: `fourcc.formats.minimum`."""

from fourcc.formats.minimum import minimum

Q8_M = minimum("Q8_M", 8, "uint8 minimum")
