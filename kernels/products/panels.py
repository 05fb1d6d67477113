"""Panels: sixteen rows interleaved, and how they are made from rows that are stored one by one.

::

    panel of codes     (wide / 4) vectors of four codes of each row | scales: a vector for 32 columns, or 16 | means
    panel of floats    (wide) vectors of a float of each row
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fourcc.kernels.descriptors import COLS, LINE, round_up
from fourcc.kernels.simd.arithmetic import no_floats
from fourcc.kernels.simd.dot import biased
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import load_bytes, load_word, prefetch_second, store
from fourcc.kernels.simd.partial import load_some_bytes
from fourcc.kernels.simd.transpose import transpose, transpose_codes

Function = Callable[..., Any]
ROWS = 16  # of a panel


def scale_words(wide: int, bits: int = 5) -> int:
    """Scales of a row in scratch memory: one for 2^`bits` columns, up to a multiple of 16."""
    return ((wide >> bits) + 15) >> 4 << 4


def scales_of(panel: int, wide: int) -> int:
    """Where a panel's scales begin: behind its codes."""
    return panel + ROWS * wide


def means_of(panel: int, wide: int, bits: int = 5) -> int:
    """Where a panel's means begin: behind its scales."""
    return scales_of(panel, wide) + 4 * ROWS * scale_words(wide, bits)


def panel_bytes(wide: int, bits: int = 5) -> int:
    """Bytes of a panel of codes; as many do for sixteen rows before they are interleaved."""
    return ROWS * (wide + 8 * scale_words(wide, bits))


def apart(row: int) -> int:
    """Bytes from one row to the next in scratch memory, before they are interleaved.

    A line more than a row has: rows of a power of two would meet in one set of the nearest cache.
    """
    return row + LINE


def interleave(rows: int, step: int, words: int, panel: int) -> None:
    """Sixteen rows of 32-bit words, `step` bytes apart, to a panel: for each word 16 of them, a multiple of 16."""
    for word in range(0, words, 16):
        transpose(rows + 4 * word, step, panel + 64 * word)


def ask_for_next(rows: int, step: int) -> None:
    """Asks for the same place in the sixteen rows that follow: so many short streams are not foreseen."""
    for row in range(ROWS, 2 * ROWS):
        prefetch_second(rows + row * step)


def bytes_of_row(row: int, col: int, cols: int) -> Lanes:
    """The 64 bytes of a row from a column on; zeros behind its last one."""
    left = cols - col
    found: Lanes = load_bytes(row + col) if left >= 64 else load_some_bytes(row + col, left)
    return found


def copy_codes(row: int, cols: int, out: int) -> None:
    """A row of signed bytes, with zeros up to a whole vector, as `simd.dot.biased` leaves them."""
    for col in range(0, cols, 64):
        store(out + col, biased(bytes_of_row(row, col, cols)))


def interleave_codes(rows: int, step: int, cols: int, panel: int) -> None:
    """Sixteen rows of signed bytes, `step` bytes apart, to a panel of codes; a multiple of 64 columns."""
    for col in range(0, cols, 64):
        ask_for_next(rows + col, step)
        for part in range(col, col + 64, 16):
            transpose_codes(rows + part, step, panel + ROWS * part)


def transposed(codes: Function, numbers: Function, straight: Function, *, affine: bool = False) -> Function:
    """A maker of panels of codes from rows that are stored one by one.

    Args:
        codes: (weights, row, out) writes a row's `round_up(cols)` codes, as `simd.dot.biased` leaves them or unsigned
            below 128.
        numbers: (weights, row, scales, means) writes a scale (and mean) for 32 columns each.
        straight: (weights, row, out) writes the codes of sixteen rows as a panel has them; asked for where the columns
            are a multiple of 64.
        affine: whether there are means.
    """

    def panel(weights: int, row: int, count: int, out: int, scratch: int) -> None:
        cols = load_word(weights + COLS)
        wide = round_up(cols)
        step, far = 4 * scale_words(wide), apart(wide)
        scales = scratch + ROWS * far
        means = scales + ROWS * step
        if count == ROWS and cols == wide:
            straight(weights, row, out)
        else:
            for each in range(count):
                codes(weights, row + each, scratch + each * far)
            interleave(scratch, far, wide >> 2, out)
        for each in range(count):
            numbers(weights, row + each, scales + each * step, means + each * step)
        for missing in range(count * step, ROWS * step, LINE):
            store(scales + missing, no_floats())
            if affine:
                store(means + missing, no_floats())
        interleave(scales, step, step >> 2, scales_of(out, wide))
        if affine:
            interleave(means, step, step >> 2, means_of(out, wide))

    return panel
