"""IQ3S, known as IQ3_S: ggml's 3-bit super-block of runs of four weights from a set of 512.

::

    block of 256 weights along a row, 110 bytes, 3.4375 bits per weight
    byte   0    2             66           74           106          110
           d    q0 ... q63    h0 ... h7    b0 ... b31   s0 ... s3
           f16  low 8 bits    top bits of  eight signs  low nibble of sj: scale of weights 64 j .. 64 j + 31,
                of an index   8 indices                 high nibble: of the next 32

Decode: w = (d * (2 * scale + 1)) * sign * level, in float32; levels are 1, 3, 5 … 15. There is no encoder.
"""

import numpy as np

from fourcc import Array, Format, per_block, record
from fourcc.formats.layouts.grids import FOUR_FLAGS, FOURS, IQ3S_RUNS

BLOCK = 256
GROUP, RUN = 32, 4  # weights with one scale, and with one index
RUNS = GROUP // RUN
MAGNITUDES = np.arange(1, 16, 2, dtype=np.float32)
LEVELS = np.concatenate([MAGNITUDES, -MAGNITUDES])


def decode_block(d: Array, q: Array, high: Array, signs: Array, scales: Array, weights: Array) -> None:
    """Decodes one block."""
    for group in range(BLOCK // GROUP):
        scale = d * (2 * (scales[group // 2] >> 4 * (group % 2) & 15) + 1)
        for run in range(RUNS):
            place = RUNS * group + run
            index = q[place] | (high[group] >> run & 1) << 8
            codes = IQ3S_RUNS[index] | FOUR_FLAGS[signs[place // 2] >> 4 * (run % 2) & 15]
            weights[RUN * place : RUN * place + RUN] = scale * LEVELS[codes >> FOURS & 15]


BLOCKS = record(
    "blocks",
    per_block("d", "f2"),
    per_block("q", "u1", 64),
    per_block("high", "u1", 8),
    per_block("signs", "u1", 32),
    per_block("scales", "u1", 4),
)
IQ3S = Format(
    tag="IQ3S",
    name="IQ3_S",
    summary="ggml's 3-bit super-blocks of runs from a set of 512",
    block=BLOCK,
    parts=(BLOCKS,),
    foreign={"ggml": 21},
    decode_block=decode_block,
)
