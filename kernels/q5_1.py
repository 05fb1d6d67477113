"""Q5_1: blocks of 32 codes of 5 bits, a float16 scale and a float16 offset, which is the block's minimum."""

from __future__ import annotations

from fourcc.kernels.encoders.blocks_of_32 import encode_between
from fourcc.kernels.encoders.five_bits import five_bits
from fourcc.kernels.products.packed_gemm import packed_kernel
from fourcc.kernels.products.packed_layout import Block, two_float16s

KERNEL = packed_kernel(Block(32, 24, two_float16s, five_bits(1), zero=0, affine=True), encoder=encode_between(31, 24))
