"""IQ2Y, known as IQ2_XXS: ggml's 2-bit super-block of runs of eight weights from a set of 256.

::

    block of 256 weights along a row, 66 bytes, 2.0625 bits per weight
    byte   0    2                                                        66
           d    g0 g1 ... g7, one for 32 weights, of 8 bytes each:
           f16  bytes 0 .. 3   index of a run of eight weights, each
                bits 0 .. 27   of the other four: signs, 7 bits for eight weights; the eighth makes the minus signs even
                bits 28 .. 31  scale

Decode: w = (d * (scale + 1/2) / 4) * sign * level, in float32; levels are 8, 25 and 43. There is no encoder.
"""

import numpy as np

from fourcc import Array, Format, per_block, record
from fourcc.formats.layouts.grids import EIGHTS, EVEN_FLAGS, IQ2_LEVELS, IQ2Y_RUNS

BLOCK = 256
GROUP, RUN = 32, 8  # weights with one scale, and with one index


def decode_block(d: Array, words: Array, weights: Array) -> None:
    """Decodes one block; a group is four words of 16 bits."""
    for group in range(BLOCK // GROUP):
        first, low, high = 4 * group, words[4 * group + 2], words[4 * group + 3]
        signs = low | high << 16
        scale = d * (np.float32(0.5) + (high >> 12)) * np.float32(0.25)
        for run in range(GROUP // RUN):
            index = words[first + run // 2] >> 8 * (run % 2) & 255
            codes = IQ2Y_RUNS[index] | EVEN_FLAGS[signs >> 7 * run & 127]
            at = GROUP * group + RUN * run
            weights[at : at + RUN] = scale * IQ2_LEVELS[codes >> EIGHTS & 7]


IQ2Y = Format(
    tag="IQ2Y",
    name="IQ2_XXS",
    summary="ggml's 2-bit super-blocks of runs from a set of 256",
    block=BLOCK,
    parts=(record("blocks", per_block("d", "f2"), per_block("words", "u2", 32)),),
    foreign={"ggml": 16},
    decode_block=decode_block,
)
