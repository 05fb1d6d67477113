"""Q8_R: 8-bit codes with the largest magnitude of each row, as bitsandbytes stores int8.

::

    peaks   (rows,) float32        the largest magnitude of the row
    q       (rows, cols) int8      -127 .. 127

Decode: w = (q * peak) * (1 / 127), in float32, both products rounded, with the float32 nearest to 1 / 127. There is no
encoder: `Q8_G` with one group a row holds as much.
"""

import numpy as np

from fourcc import Array, Format, per_row, per_weight

BLOCK = 32  # columns that are decoded together; no part has an entry for them
SHARE = np.float32(1 / 127)


def decode_block(peaks: Array, q: Array, weights: Array) -> None:
    """Decodes some columns of a row."""
    weights[:] = q * peaks * SHARE


Q8_R = Format(
    tag="Q8_R",
    summary="8-bit codes, the largest magnitude of each row in float32",
    block=BLOCK,
    parts=(per_row("peaks", "f4"), per_weight("q", "i1")),
    foreign={"bitsandbytes": "int8"},
    decode_block=decode_block,
)
