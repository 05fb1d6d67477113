"""The products of `fourcc_rungs.native`: plain functions over addresses, which fourcc compiles.

The first argument is the address of the matrix's descriptor, the second that of the job's
(`fourcc.kernels.descriptors`). Zeros follow the activations, so a loop can read whole vectors of them.
"""

from fourcc.kernels.descriptors import COLS, OUT, PARTS, X
from fourcc.kernels.kernel import FLOAT, Kernel
from fourcc.kernels.products.panel_gemm import float_product, float_scratch
from fourcc.kernels.products.row_gemv import decoder, one_or_several
from fourcc.kernels.simd.arithmetic import add, multiply, multiply_add, no_floats, sum_floats
from fourcc.kernels.simd.int8 import load_as_floats
from fourcc.kernels.simd.load_wide import load_float_everywhere
from fourcc.kernels.simd.memory import load_float, load_floats, load_word, store, store_float

SCALES, CODES = PARTS, PARTS + 8  # the parts in the order in which KERNEL names them


def one(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Multiplies one activation: 64 codes at a time in four independent sums."""
    cols, x, out = load_word(weights + COLS), load_word(job + X), load_word(job + OUT)
    whole = cols >> 6 << 6
    for row in range(first, last):
        p = load_word(weights + CODES) + row * cols
        a, b, c, d = no_floats(), no_floats(), no_floats(), no_floats()
        for col in range(0, whole, 64):
            a = multiply_add(load_as_floats(p + col), load_floats(x + 4 * col), a)
            b = multiply_add(load_as_floats(p + col + 16), load_floats(x + 4 * col + 64), b)
            c = multiply_add(load_as_floats(p + col + 32), load_floats(x + 4 * col + 128), c)
            d = multiply_add(load_as_floats(p + col + 48), load_floats(x + 4 * col + 192), d)
        for col in range(whole, cols, 16):
            a = multiply_add(load_as_floats(p + col), load_floats(x + 4 * col), a)
        total = sum_floats(add(add(a, b), add(c, d)))
        store_float(out + 4 * row, load_float(load_word(weights + SCALES) + 4 * row) * total)


def decode_row(weights: int, row: int, out: int) -> None:
    """Writes a row's weights, float32, from `out` on; several activations and look-ups use it."""
    cols, scale = load_word(weights + COLS), load_float_everywhere(load_word(weights + SCALES) + 4 * row)
    p = load_word(weights + CODES) + row * cols
    for col in range(0, cols, 16):
        store(out + 4 * col, multiply(scale, load_as_floats(p + col)))


TILE = one_or_several(one, float_product(decode_row))
ROWS = decoder(decode_row)
KERNEL = Kernel("native", FLOAT, TILE, TILE, ROWS, float_scratch, ("scale", "codes"), decode=ROWS)
