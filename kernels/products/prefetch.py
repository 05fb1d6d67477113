"""Reading memory ahead of where it is needed, where the processor itself is late to do so.

Zen 4 foresees one long stream of weights: asking for it costs a tenth of the rate. Intel's server cores do not come to
half of what memory gives then. Where several activations are read beside the weights, both are late.
"""

from __future__ import annotations

from fourcc.kernels.simd.memory import prefetch
from fourcc.kernels.simd.target import host, host_processor

BESIDE_SEVERAL = 2048  # bytes ahead, where several activations are read beside
ALONE = 8192 if host()[0] == "x86_64" and not host_processor().startswith("znver") else 0  # where it is one; 0: never


def ahead_of(columns: int) -> int:
    """Bytes to ask for ahead of where weights are read, beside so many activations; 0: nothing."""
    return BESIDE_SEVERAL if columns > 1 else ALONE


def ask_ahead(p: int) -> None:
    """Asks for the line that comes some time after the one at p, in a stream that is read beside one activation."""
    if ALONE:
        prefetch(p + ALONE)
