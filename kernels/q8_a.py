"""Q8_A: rows of 8-bit codes, a float32 scale for 128 rows of a column, multiplied as they are stored.

A scale belongs to a column, so it is folded into the activation: for each block of 128 rows, x * scale is quantized
anew, in the thread's scratch memory, and the rows' codes are multiplied as they are. With s and o the scale and zero
correction of x * scale for 32 columns, and z the dot product of their codes, y = (sum of (s z + o)) / 127.
"""

from __future__ import annotations

import numpy as np

from fourcc.kernels.descriptors import (
    CODES,
    CODES_STRIDE,
    COLS,
    COUNT,
    JOB,
    OUT,
    OUT_STRIDE,
    PARTS,
    SCALES,
    SCALES_STRIDE,
    SUMS,
    X_STRIDE,
    ZERO_CORRECTIONS,
    X,
    round_up,
)
from fourcc.kernels.encoders.block_by_block import without_options
from fourcc.kernels.encoders.q8_a_q8_b import decode_blocks, decode_columns, encode_columns
from fourcc.kernels.kernel import FLOAT, Careful, Kernel, has_large_floats
from fourcc.kernels.products.activations import own_range, quantize_block
from fourcc.kernels.products.crossover import BYTE_ROWS
from fourcc.kernels.products.panel_gemm import code_products, float_product, float_scratch
from fourcc.kernels.products.panels import (
    ROWS,
    copy_codes,
    interleave,
    interleave_codes,
    panel_bytes,
    scales_of,
    scratch_stride,
)
from fourcc.kernels.products.prefetch import prefetch_ahead
from fourcc.kernels.products.row_gemv import JOB_BYTES, choose_by_count, decoder, repeated_gemv
from fourcc.kernels.simd.arithmetic import (
    add,
    floats_of,
    multiply,
    no_floats,
    sum_floats,
)
from fourcc.kernels.simd.dot import BIAS, scaled_dot
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.load_wide import load_float_pair
from fourcc.kernels.simd.memory import load_bytes, load_floats, load_word, store, store_float, store_word
from fourcc.kernels.simd.partial import load_some_bytes, load_some_floats

BLOCK = 128  # rows
PANELS = BLOCK // ROWS
TOP = np.float32(127)
CODES_PART = PARTS + 8
COLUMNS = 48  # activations that are quantized at once: some hundred KiB, and a multiple of a tile's six
HEAD = 128  # bytes of the job at the start of scratch memory


def _fold(weights: int, job: int, block: int, column: int, inner: int) -> None:
    """Multiplies an activation by the scales of a block of rows, and quantizes it into the job `inner`."""
    cols = load_word(weights + COLS)
    scales = load_word(weights + PARTS) + 4 * block * cols
    x = load_word(job + X) + column * load_word(job + X_STRIDE)
    at = column % COLUMNS
    codes = load_word(inner + CODES) + at * load_word(inner + CODES_STRIDE)
    skipped = at * load_word(inner + SCALES_STRIDE)
    for col in range(0, round_up(cols), 32):
        low = multiply(load_floats(x + 4 * col), _scales(scales, col, cols))
        high = multiply(load_floats(x + 4 * col + 64), _scales(scales, col + 16, cols))
        four = skipped + (col >> 3)
        x_scales, corrections, sums = (
            load_word(inner + SCALES),
            load_word(inner + ZERO_CORRECTIONS),
            load_word(inner + SUMS),
        )
        peak = own_range(job, col >> 5, low, high)  # recorded ranges are of activations that are not folded
        quantize_block(
            low, high, peak, codes + col, x_scales + four, corrections + four, sums + four, np.float32(-BIAS)
        )


def _scales(scales: int, col: int, cols: int) -> Lanes:
    """The scales of sixteen columns; zeros behind the last column."""
    whole = col + 16 <= cols
    vector: Lanes = load_floats(scales + 4 * col) if whole else load_some_floats(scales + 4 * col, max(0, cols - col))
    return vector


def _lay_out(weights: int, job: int, scratch: int, columns: int) -> int:
    """Writes the job of the folded activations to `scratch`; returns where the memory behind it begins."""
    wide = round_up(load_word(weights + COLS))
    at = scratch + HEAD
    store_word(scratch + CODES, at)
    store_word(scratch + CODES_STRIDE, wide)
    at += columns * wide
    store_word(scratch + SCALES_STRIDE, wide >> 3)
    for word in (SCALES, ZERO_CORRECTIONS, SUMS):
        store_word(scratch + word, at)
        at += columns * (wide >> 3)
    store_word(scratch + OUT_STRIDE, load_word(job + OUT_STRIDE))
    return at


def _gemv(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """The product with one activation, which is folded anew for each block of rows."""
    cols = load_word(weights + COLS)
    whole = cols >> 6 << 6
    _lay_out(weights, job, scratch, 1)
    codes, x_scales = load_word(scratch + CODES), load_word(scratch + SCALES)
    for block in range(first // BLOCK, (last + (BLOCK - 1)) // BLOCK):
        _fold(weights, job, block, 0, scratch)
        correction = _zero_correction(cols, scratch)
        for row in range(block * BLOCK, min(last, block * BLOCK + BLOCK)):
            p, total = load_word(weights + CODES_PART) + row * cols, no_floats()
            for col in range(0, whole, 64):
                scale = load_float_pair(x_scales + (col >> 3))
                prefetch_ahead(p + col)
                total = scaled_dot(total, load_bytes(p + col), load_bytes(codes + col), scale)
            if whole < cols:
                scale = load_float_pair(x_scales + (whole >> 3))
                total = scaled_dot(total, load_some_bytes(p + whole, cols - whole), load_bytes(codes + whole), scale)
            store_float(load_word(job + OUT) + 4 * row, (sum_floats(total) + correction) / TOP)


def _zero_correction(cols: int, scratch: int) -> np.float32:
    """The sum of the zero corrections, which all rows of a block share."""
    total = no_floats()
    for at in range(0, round_up(cols) >> 3, 64):
        total = add(total, load_floats(load_word(scratch + ZERO_CORRECTIONS) + at))
    correction: np.float32 = sum_floats(total)
    return correction


def _gemm(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """The product with several activations.

    The panels of a block of rows are made first; then some activations at a time are folded and multiplied.
    """
    cols, count = load_word(weights + COLS), load_word(job + COUNT)
    size = panel_bytes(round_up(cols))
    panels = _lay_out(weights, job, scratch, COLUMNS)
    for panel in range(PANELS):
        for block in range((cols + 31) >> 5):
            store(scales_of(panels + panel * size, round_up(cols)) + 64 * block, floats_of(np.float32(1) / TOP))
    for block in range(first // BLOCK, (last + (BLOCK - 1)) // BLOCK):
        end = min(last, block * BLOCK + BLOCK)
        for panel in range(PANELS):
            row = block * BLOCK + ROWS * panel
            _panel(weights, row, min(ROWS, end - row), panels + panel * size, panels + PANELS * size)
        for column in range(0, count, COLUMNS):
            some = min(COLUMNS, count - column)
            for each in range(some):
                _fold(weights, job, block, column + each, scratch)
            store_word(scratch + OUT, load_word(job + OUT) + column * load_word(job + OUT_STRIDE))
            for panel in range(0, PANELS, 2):
                row = block * BLOCK + ROWS * panel
                if row < end:
                    code_products(panels + panel * size, cols, scratch, some, min(2 * ROWS, end - row), row)


def _panel(weights: int, row: int, count: int, out: int, scratch: int) -> None:
    """Interleaves up to sixteen rows of biased codes; writes nothing where `count` is 0 or less."""
    cols = load_word(weights + COLS)
    wide = round_up(cols)
    first, stride = load_word(weights + CODES_PART) + row * cols, scratch_stride(wide)
    if count == ROWS and cols == wide:
        interleave_codes(first, cols, cols, out)
    elif count > 0:
        for each in range(count):
            copy_codes(first + each * cols, cols, scratch + each * stride)
        interleave(scratch, stride, wide >> 2, out)


def scratch(cols: int) -> int:
    """Bytes of scratch memory: a job, quantized activations, the panels of 128 rows, 16 rows."""
    wide = round_up(cols)
    folded = JOB_BYTES + HEAD + COLUMNS * (wide + 3 * (wide >> 3))
    return max(folded + PANELS * panel_bytes(wide) + ROWS * scratch_stride(wide), float_scratch(cols))


assert JOB.size <= HEAD

_EXACT = float_product(decode_columns)
KERNEL = Kernel(
    "native",
    FLOAT,
    choose_by_count(BYTE_ROWS, repeated_gemv(_gemv, BLOCK), _gemm),
    _EXACT,
    decoder(decode_columns),
    scratch,
    ("scales", "q"),
    row_align=BLOCK,
    decode=decode_blocks,
    careful=Careful(has_large_floats, _EXACT),
    encoder=without_options(encode_columns),
)
