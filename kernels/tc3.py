"""TC3: blocks of 64 rows and 4 columns, a ring of 256 codes of 3 bits each."""

from __future__ import annotations

from fourcc.kernels.products.trellis_blocks import trellis_kernel

KERNEL = trellis_kernel(3)
