"""IQ2S, known as IQ2_S: ggml's 2-bit super-block of runs of eight weights from a set of 1024.

::

    block of 256 weights along a row, 82 bytes, 2.5625 bits per weight
    byte   0    2             34            66            74            82
           d    q0 ... q31    b0 ... b31    h0 ... h7     s0 ... s7
           f16  low 8 bits    eight signs,  high 2 bits   low nibble of sj: scale of weights 32 j .. 32 j + 15,
                of an index   bit j that    of 4 indices  high nibble: of the next 16
                              of weight j

Decode: w = (d * (scale + 1/2) / 4) * sign * level, in float32; levels are 8, 25 and 43. There is no encoder.
"""

import numpy as np

from fourcc import Array, Format, per_block, record
from fourcc.formats.layouts.grids import EIGHT_FLAGS, EIGHTS, IQ2_LEVELS, IQ2S_RUNS

BLOCK = 256
RUN = 8  # weights with one index


def decode_block(d: Array, q: Array, signs: Array, high: Array, scales: Array, weights: Array) -> None:
    """Decodes one block."""
    for run in range(BLOCK // RUN):
        scale = d * (np.float32(0.5) + (scales[run // 4] >> 4 * (run % 4 // 2) & 15)) * np.float32(0.25)
        index = q[run] | (high[run // 4] >> 2 * (run % 4) & 3) << 8
        codes = IQ2S_RUNS[index] | EIGHT_FLAGS[signs[run]]
        weights[RUN * run : RUN * run + RUN] = scale * IQ2_LEVELS[codes >> EIGHTS & 7]


BLOCKS = record(
    "blocks",
    per_block("d", "f2"),
    per_block("q", "u1", 32),
    per_block("signs", "u1", 32),
    per_block("high", "u1", 8),
    per_block("scales", "u1", 8),
)
IQ2S = Format(
    tag="IQ2S",
    name="IQ2_S",
    summary="ggml's 2-bit super-blocks of runs from a set of 1024",
    block=BLOCK,
    parts=(BLOCKS,),
    foreign={"ggml": 22},
    decode_block=decode_block,
)
