"""Products, decoding and encoding with compiled kernels: the room of the core that knows `fourcc.kernels`.

A matrix is *packed* for its format's kernel once (`pack`); activations are *prepared* once for all matrices that want
the same of them (`prepare`); then the rows of their product are shared among the threads of one team (`multiply`).
"""

from fourcc.compute.cache import (
    announce_compiling,
    cache_entries,
    cache_folder,
    cache_leftovers,
    current_entries,
    why_not_kept,
)
from fourcc.compute.choosing import is_copied, kernel_of, unfit_for_blocks, why_decoded
from fourcc.compute.products import Activations, Packed, gather, matmul, multiply, pack, prepare, product_job
from fourcc.compute.teams import run

__all__ = [
    "Activations",
    "Packed",
    "announce_compiling",
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
    "prepare",
    "product_job",
    "run",
    "unfit_for_blocks",
    "why_decoded",
    "why_not_kept",
]
