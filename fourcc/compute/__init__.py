"""Products, decoding and encoding with compiled kernels: the part of the core that knows `fourcc.kernels`.

A matrix is *packed* for its format's kernel once (`pack`); activations are *prepared* once for all matrices whose
kernels take them in the same form (`prepare`); then the threads of one team share the rows of their product
(`multiply`).
"""

from fourcc.compute.cache import (
    cache_entries,
    cache_folder,
    cache_leftovers,
    current_entries,
    why_not_kept,
)
from fourcc.compute.choosing import is_copied, kernel_of, target_name, unfit_for_blocks, why_decoded
from fourcc.compute.packed import Packed, pack, pack_decoded
from fourcc.compute.products import Activations, gather, matmul, multiply, prepare, product_job
from fourcc.compute.stacks import PackedStack, pack_stack
from fourcc.compute.teams import run

__all__ = [
    "Activations",
    "Packed",
    "PackedStack",
    "cache_entries",
    "cache_folder",
    "cache_leftovers",
    "current_entries",
    "gather",
    "is_copied",
    "kernel_of",
    "matmul",
    "multiply",
    "pack",
    "pack_decoded",
    "pack_stack",
    "prepare",
    "product_job",
    "run",
    "target_name",
    "unfit_for_blocks",
    "why_decoded",
    "why_not_kept",
]
