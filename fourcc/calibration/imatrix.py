"""llama.cpp's importance matrix, the GGUF kind: what its keys and tensors are called, and ours beside them.

::

    general.type = "imatrix"   imatrix.datasets   imatrix.chunk_count   imatrix.chunk_size
    NAME.in_sum2   float32 (matrices, cols)   sums of squares of the inputs
    NAME.counts    float32 (matrices, 1)      tokens

NAME is ggml's where it has one. llama.cpp passes over all other keys and tensors; ours are on the page of the file.
"""

from __future__ import annotations

from fourcc.naming import GGUF, from_fourcc, to_fourcc
from fourcc.networks import NETWORKS

TYPE, TYPE_VALUE = "general.type", "imatrix"
DATASETS, CHUNKS, CHUNK_SIZE = "imatrix.datasets", "imatrix.chunk_count", "imatrix.chunk_size"
SQUARES, COUNTS = ".in_sum2", ".counts"

VERSION, VERSION_VALUE = "fourcc.calibration.version", 1
MODEL, TEXTS, TOKENS = "fourcc.model", "fourcc.texts", "fourcc.tokens"
SHARED_BY, SHARED_WITH = "fourcc.shared.matrices", "fourcc.shared.with"
CHECKSUMS = "fourcc.checksums"  # a tensor: XXH3-64 of the head, then of each other tensor
EXACT_COUNTS, MINIMUM, MAXIMUM, MAGNITUDES, HESSIAN = ".tokens", ".in_min", ".in_max", ".magnitudes", ".hessian"

FLOAT, INT, LONG = 0, 26, 27  # ggml's types
DTYPES = {FLOAT: "<f4", INT: "<i4", LONG: "<i8"}


def ggml_name(name: str) -> str:
    """A tensor's name in these files; what only some families have, experts among it, has one name in all of them."""
    own = (network.from_ours(name, GGUF) for network in NETWORKS.values())
    return from_fourcc(name, GGUF) or next(filter(None, own), name)


def own_name(name: str) -> str:
    """The name in fourcc's spelling of a tensor of these files."""
    own = (network.to_ours(name, GGUF) for network in NETWORKS.values())
    return to_fourcc(name, GGUF) or next(filter(None, own), name)
