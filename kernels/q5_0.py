"""Q5_0: blocks of 32 codes of 5 bits, a float16 scale."""

from __future__ import annotations

from fourcc.kernels.encoders.blocks_of_32 import encode_five_bits
from fourcc.kernels.encoders.five_bits import five_bits
from fourcc.kernels.products.packed_gemm import packed_kernel
from fourcc.kernels.products.packed_layout import Block, float16s_behind

KERNEL = packed_kernel(
    Block(32, 22, float16s_behind(5), five_bits(0), half=0, zero=16),
    encoder=encode_five_bits,
)
