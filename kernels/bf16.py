"""BF16: `fourcc.kernels.plain` with its loads."""

from fourcc.kernels.plain import plain
from fourcc.kernels.simd.widening import load_bfloat16s, load_some_bfloat16s

KERNEL = plain(load_bfloat16s, load_some_bfloat16s, 2)
