"""F16: `fourcc.kernels.plain` with its loads."""

from fourcc.kernels.plain import plain
from fourcc.kernels.simd.rows import float16_rows
from fourcc.kernels.simd.widening import load_float16s, load_some_float16s

KERNEL = plain(float16_rows, load_float16s, load_some_float16s, 2)
