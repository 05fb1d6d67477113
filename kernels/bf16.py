"""BF16: `fourcc.kernels.plain` with its loads."""

from fourcc.kernels.plain import plain
from fourcc.kernels.simd.rows import bfloat16_rows
from fourcc.kernels.simd.widening import load_bfloat16s, load_some_bfloat16s

KERNEL = plain(bfloat16_rows, load_bfloat16s, load_some_bfloat16s, 2)
