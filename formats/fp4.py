"""FP4: sixteen levels of bitsandbytes' 4-bit floats, a float32 scale for each 64 weights of a row.

::

    scales   (rows, ceil(cols / 64)) float32   the largest |w| of the block
    q        (rows, ceil(cols / 2)) uint8      high nibble: code of the even column; low nibble: of the odd one

Decode: w = scale * LEVELS[code], in float32. Bit 3 of a code is the sign; the others name 0, 1/192, 2/3, 1, 1/3, 1/2,
1/6 and 1/4. There is no encoder: `NF4` loses less in as many bits.
"""

import numpy as np

from fourcc import Array, Format, packed, per_block

BLOCK = 64
MAGNITUDES = np.array([0, 0.0625, 8, 12, 4, 6, 2, 3], np.float32) / np.float32(12)
LEVELS = np.concatenate([MAGNITUDES, -MAGNITUDES])


def decode_block(scales: Array, q: Array, weights: Array) -> None:
    """Decodes one block."""
    weights[:] = scales * LEVELS[q]


FP4 = Format(
    tag="FP4",
    summary="4-bit floats of bitsandbytes in blocks of 64",
    block=BLOCK,
    parts=(per_block("scales", "f4"), packed("q", bits=4, high_first=True)),
    foreign={"bitsandbytes": "fp4"},
    decode_block=decode_block,
)
