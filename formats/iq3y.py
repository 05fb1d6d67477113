"""IQ3Y, known as IQ3_XXS: ggml's 3-bit super-block of runs of four weights from a set of 256.

::

    block of 256 weights along a row, 98 bytes, 3.0625 bits per weight
    byte   0    2              66                                            98
           d    q0 ... q63     g0 ... g7, u32, one for 32 weights:
           f16  index of       bits 0 .. 27   signs, 7 bits for eight weights; the eighth makes the minus signs even
                four weights   bits 28 .. 31  scale

Decode: w = (d * (scale + 1/2) / 2) * sign * level, in float32; levels are 4, 12, 20, 28, 36, 44, 52 and 62. There is no
encoder.
"""

import numpy as np

from fourcc import Array, Format, per_block, record
from fourcc.formats.layouts.grids import EVEN, FOUR_FLAGS, FOURS, IQ3Y_RUNS

BLOCK = 256
GROUP, RUN = 32, 4  # weights with one scale, and with one index
MAGNITUDES = np.array([4, 12, 20, 28, 36, 44, 52, 62], np.float32)
LEVELS = np.concatenate([MAGNITUDES, -MAGNITUDES])


def decode_block(d: Array, q: Array, words: Array, weights: Array) -> None:
    """Decodes one block; signs and scale of a group are two words of 16 bits."""
    for group in range(BLOCK // GROUP):
        signs = words[2 * group] | words[2 * group + 1] << 16
        scale = d * (np.float32(0.5) + (words[2 * group + 1] >> 12)) * np.float32(0.5)
        for run in range(GROUP // RUN):
            eight = EVEN[signs >> 7 * (run // 2) & 127]
            codes = IQ3Y_RUNS[q[GROUP // RUN * group + run]] | FOUR_FLAGS[eight >> 4 * (run % 2) & 15]
            at = GROUP * group + RUN * run
            weights[at : at + RUN] = scale * LEVELS[codes >> FOURS & 15]


IQ3Y = Format(
    tag="IQ3Y",
    name="IQ3_XXS",
    summary="ggml's 3-bit super-blocks of runs from a set of 256",
    block=BLOCK,
    parts=(record("blocks", per_block("d", "f2"), per_block("q", "u1", 64), per_block("words", "u2", 16)),),
    foreign={"ggml": 18},
    decode_block=decode_block,
)
