"""IQ1M, known as IQ1_M: ggml's 1-bit super-block of runs of eight weights, with more scales and shifts than IQ1S.

::

    block of 256 weights along a row, 56 bytes, 1.75 bits per weight
    byte   0             32                              48                                  56
           q0 ... q31    h0 ... h15, a nibble for        s0 s1 s2 s3, u16:
           low 8 bits    eight weights:                  bits 0 .. 11   scales of four times 16 weights, 3 bits each
           of an index   bits 0 .. 2  of the index       bits 12 .. 15  a nibble of d, an f16; that of s0 is the lowest
                         bit 3        a negative shift

Decode: w = (d * (2 * scale + 1)) * (level + shift), in float32; levels are -1, 0 and 1, the shift is 1/8 or
-1/8. There is no encoder.
"""

from fourcc import Array, Format, per_block, record
from fourcc.formats.layouts.float16_bits import value_of
from fourcc.formats.layouts.grids import EIGHTS, IQ1_LEVELS, IQ1_RUNS

BLOCK = 256
RUN = 8  # weights with one index and shift; two runs have one scale


def decode_block(q: Array, high: Array, scales: Array, weights: Array) -> None:
    """Decodes one block."""
    d = value_of(scales[0] >> 12 | scales[1] >> 12 << 4 | scales[2] >> 12 << 8 | scales[3] >> 12 << 12)
    for run in range(BLOCK // RUN):
        scale = d * (2 * (scales[run // 8] >> 3 * (run % 8 // 2) & 7) + 1)
        nibble = high[run // 2] >> 4 * (run % 2) & 15
        shift = 4 * (nibble >> 3)  # the flag of a code
        codes = IQ1_RUNS[q[run] | (nibble & 7) << 8]
        weights[RUN * run : RUN * run + RUN] = scale * IQ1_LEVELS[codes >> EIGHTS & 3 | shift]


IQ1M = Format(
    tag="IQ1M",
    name="IQ1_M",
    summary="ggml's 1-bit super-blocks of runs from a set of 2048, a scale for 16",
    block=BLOCK,
    parts=(record("blocks", per_block("q", "u1", 32), per_block("high", "u1", 16), per_block("scales", "u2", 4)),),
    foreign={"ggml": 29},
    decode_block=decode_block,
)
