"""F16: `fourcc.kernels.products.plain_floats` with its loads and stores."""

from dataclasses import replace

from fourcc.kernels.encoders.block_by_block import narrowed
from fourcc.kernels.products.plain_floats import float_kernel
from fourcc.kernels.simd.load_wide import load_float16s, load_some_float16s
from fourcc.kernels.simd.store_narrow import store_float16s, store_some_float16s
from fourcc.kernels.simd.tiles import row_products

_PRODUCTS = float_kernel(row_products["float16s"], load_float16s, load_some_float16s, 2)
KERNEL = replace(_PRODUCTS, encoder=narrowed(store_float16s, store_some_float16s, 2))
