"""IQ2X, known as IQ2_XS: ggml's 2-bit super-block of runs of eight weights from a set of 512.

::

    block of 256 weights along a row, 74 bytes, 2.3125 bits per weight
    byte   0    2                              66            74
           d    q0 q1 ... q31                  s0 ... s7
           f16  u16, one for eight weights:    low nibble of sj: scale of weights 32 j .. 32 j + 15,
                bits 0 .. 8    index of a run        high nibble: of the next 16
                bits 9 .. 15   signs; the eighth makes the minus signs even

Decode: w = (d * (scale + 1/2) / 4) * sign * level, in float32; levels are 8, 25 and 43. There is no encoder.
"""

import numpy as np

from fourcc import Array, Format, per_block, record
from fourcc.formats.layouts.grids import EIGHTS, EVEN_FLAGS, IQ2_LEVELS, IQ2X_RUNS

BLOCK = 256
RUN = 8  # weights with one index


def decode_block(d: Array, q: Array, scales: Array, weights: Array) -> None:
    """Decodes one block."""
    for run in range(BLOCK // RUN):
        scale = d * (np.float32(0.5) + (scales[run // 4] >> 4 * (run % 4 // 2) & 15)) * np.float32(0.25)
        codes = IQ2X_RUNS[q[run] & 511] | EVEN_FLAGS[q[run] >> 9]
        weights[RUN * run : RUN * run + RUN] = scale * IQ2_LEVELS[codes >> EIGHTS & 7]


IQ2X = Format(
    tag="IQ2X",
    name="IQ2_XS",
    summary="ggml's 2-bit super-blocks of runs from a set of 512",
    block=BLOCK,
    parts=(record("blocks", per_block("d", "f2"), per_block("q", "u2", 32), per_block("scales", "u1", 8)),),
    foreign={"ggml": 17},
    decode_block=decode_block,
)
