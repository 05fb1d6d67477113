"""F16: `fourcc.kernels.plain` with its loads and stores."""

from dataclasses import replace

from fourcc.kernels.encoders import narrowed
from fourcc.kernels.plain import plain
from fourcc.kernels.simd.narrowing import store_float16s, store_some_float16s
from fourcc.kernels.simd.tiles import row_products
from fourcc.kernels.simd.widening import load_float16s, load_some_float16s

_PRODUCTS = plain(row_products["float16s"], load_float16s, load_some_float16s, 2)
KERNEL = replace(_PRODUCTS, encoder=narrowed(store_float16s, store_some_float16s, 2))
