"""Q4_A: 4-bit indices into 16 floats for 256 columns, as they are stored.

Sixteen floats are one register, and a look-up of 16 indices one permute that sees only the low four bits of each 32-bit
word. So 64 bytes of indices, shifted right by 0, 4, .. 28 bits, are eight vectors of indices. The activation is brought
into that order once: vector j of a run of 128 columns has columns 8 l + (j ^ 1), l = 0 .. 15, since the even column of
a pair is in the high nibble.
"""

from __future__ import annotations

from fourcc.kernels.bins import decode, encoder
from fourcc.kernels.jit import Kernel as Entry
from fourcc.kernels.kernel import Activation, Kernel
from fourcc.kernels.operands import CODES, CODES_STEP, COLS, COUNT, OUT, PARTS, X_STEP, X, round_up
from fourcc.kernels.product import float_product, float_scratch
from fourcc.kernels.rows import decoder, one_or_several
from fourcc.kernels.simd.arithmetic import add, multiply_add, no_floats, shifted_right, sum_floats
from fourcc.kernels.simd.dot import lookup
from fourcc.kernels.simd.memory import load_float, load_floats, load_ints, load_word, prefetch, store_float
from fourcc.kernels.simd.partial import load_some_ints

RUN = 128  # columns whose indices are one vector
INDICES = PARTS + 8
AHEAD = 2048  # bytes of indices; in turn with the activation's 16 KiB, the processor's own prefetching comes late


def _prepare(weights: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
    """The activations in the order of the indices, where other formats have codes."""
    if load_word(job + COUNT) != 1:  # several are multiplied as they came
        return
    wide = round_up(load_word(weights + COLS))
    for row in range(first, last):
        x = load_word(job + X) + row * load_word(job + X_STEP)
        out = load_word(job + CODES) + row * load_word(job + CODES_STEP)
        for run in range(0, wide, RUN):
            for j in range(8):
                for lane in range(16):
                    store_float(out + 4 * (run + 16 * j + lane), load_float(x + 4 * (run + 8 * lane + (j ^ 1))))


def _one(weights: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
    """Four sums take the vectors of indices in turn."""
    cols = load_word(weights + COLS)
    stride, tables = (cols + 1) >> 1, ((cols + 255) >> 8) * 64
    for row in range(first, last):
        p, bins = load_word(weights + INDICES) + row * stride, load_word(weights + PARTS) + row * tables
        a, b, c, d = no_floats(), no_floats(), no_floats(), no_floats()
        for run in range((cols + (RUN - 1)) >> 7):
            table, x = load_floats(bins + (run >> 1) * 64), load_word(job + CODES) + 512 * run
            left = stride - 64 * run
            prefetch(p + 64 * run + AHEAD)
            prefetch(bins + (run >> 1) * 64 + AHEAD // 2)
            index = load_ints(p + 64 * run) if left >= 64 else load_some_ints(p + 64 * run, left)
            for j in range(0, 8, 4):
                xs = x + 64 * j
                a = multiply_add(lookup(table, shifted_right(index, 4 * j)), load_floats(xs), a)
                b = multiply_add(lookup(table, shifted_right(index, 4 * j + 4)), load_floats(xs + 64), b)
                c = multiply_add(lookup(table, shifted_right(index, 4 * j + 8)), load_floats(xs + 128), c)
                d = multiply_add(lookup(table, shifted_right(index, 4 * j + 12)), load_floats(xs + 192), d)
        store_float(load_word(job + OUT) + 4 * row, sum_floats(add(add(a, b), add(c, d))))


def _kernel() -> Kernel:
    several: Entry = float_product(decode)
    rows = decoder(decode)
    ordered = Activation("float, by eights", _prepare, width=4)
    return Kernel(
        "native",
        ordered,
        one_or_several(_one, several),
        several,
        rows,
        float_scratch,
        ("bins", "q"),
        decode=rows,
        encoder=encoder,
    )


KERNEL = _kernel()
