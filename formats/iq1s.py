"""IQ1S, known as IQ1_S: ggml's 1-bit super-block of runs of eight weights from a set of 2048.

::

    block of 256 weights along a row, 50 bytes, 1.5625 bits per weight
    byte   0    2             34                                                50
           d    q0 ... q31    h0 ... h7, u16, one for 32 weights:
           f16  low 8 bits    bits 0 .. 11   high 3 bits of the four indices
                of an index   bits 12 .. 14  scale
                              bit 15         whether the shift is negative

Decode: w = (d * (2 * scale + 1)) * (level + shift), in float32; levels are -1, 0 and 1, the shift is 1/8 or
-1/8. There is no encoder.
"""

from fourcc import Array, Format, per_block, record
from fourcc.formats.layouts.grids import EIGHTS, IQ1_LEVELS, IQ1_RUNS

BLOCK = 256
GROUP, RUN = 32, 8  # weights with one scale and shift, and with one index


def decode_block(d: Array, q: Array, high: Array, weights: Array) -> None:
    """Decodes one block."""
    for group in range(BLOCK // GROUP):
        scale = d * (2 * (high[group] >> 12 & 7) + 1)
        shift = 4 * (high[group] >> 15)  # the flag of a code
        for run in range(GROUP // RUN):
            index = q[4 * group + run] | (high[group] >> 3 * run & 7) << 8
            at = GROUP * group + RUN * run
            weights[at : at + RUN] = scale * IQ1_LEVELS[IQ1_RUNS[index] >> EIGHTS & 3 | shift]


IQ1S = Format(
    tag="IQ1S",
    name="IQ1_S",
    summary="ggml's 1-bit super-blocks of runs from a set of 2048",
    block=BLOCK,
    parts=(record("blocks", per_block("d", "f2"), per_block("q", "u1", 32), per_block("high", "u2", 8)),),
    foreign={"ggml": 19},
    decode_block=decode_block,
)
