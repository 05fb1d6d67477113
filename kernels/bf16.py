"""BF16: `fourcc.kernels.plain` with its loads and stores."""

from dataclasses import replace

from fourcc.kernels.encoders import narrowed
from fourcc.kernels.plain import plain
from fourcc.kernels.simd.narrowing import store_bfloat16s, store_some_bfloat16s
from fourcc.kernels.simd.tiles import row_products
from fourcc.kernels.simd.widening import load_bfloat16s, load_some_bfloat16s

_PRODUCTS = plain(row_products["bfloat16s"], load_bfloat16s, load_some_bfloat16s, 2)
KERNEL = replace(_PRODUCTS, encoder=narrowed(store_bfloat16s, store_some_bfloat16s, 2))
