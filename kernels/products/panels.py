"""Panels: sixteen interleaved rows, and how they are made from rows that are stored one by one.

::

    panel of codes     (wide / 4) vectors of four codes of each row | scales: a vector for 32 columns, or 16 | offsets
    panel of floats    (wide) vectors of a float of each row
"""

from __future__ import annotations

from fourcc.kernels.descriptors import COLS, LINE, round_up
from fourcc.kernels.products.signatures import PanelMaker, WriteRow, WriteRowScales
from fourcc.kernels.simd.arithmetic import no_floats
from fourcc.kernels.simd.dot import biased
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import load_bytes, load_word, prefetch_second, store
from fourcc.kernels.simd.partial import load_some_bytes
from fourcc.kernels.simd.transpose import transpose, transpose_codes

ROWS = 16  # of a panel


def scale_words(wide: int, bits: int = 5) -> int:
    """Scales of a row in scratch memory: one for 2^`bits` columns, up to a multiple of 16."""
    return ((wide >> bits) + 15) >> 4 << 4


def scales_of(panel: int, wide: int) -> int:
    """The address of a panel's scales, behind its codes."""
    return panel + ROWS * wide


def offsets_of(panel: int, wide: int, bits: int = 5) -> int:
    """The address of a panel's offsets, behind its scales."""
    return scales_of(panel, wide) + 4 * ROWS * scale_words(wide, bits)


def panel_bytes(wide: int, bits: int = 5) -> int:
    """Bytes of a panel of codes; sixteen rows take as many before they are interleaved."""
    return ROWS * (wide + 8 * scale_words(wide, bits))


def scratch_stride(row: int) -> int:
    """Bytes from one row of `row` bytes to the next in scratch memory, before they are interleaved.

    It is a cache line more than a row has: rows of a power of two of bytes would share one set of the L1 cache.
    """
    return row + LINE


def interleave(rows: int, stride: int, words: int, panel: int) -> None:
    """Interleaves sixteen rows of 32-bit words, `stride` bytes apart, to a vector a word, up to a multiple of 16."""
    for word in range(0, words, 16):
        transpose(rows + 4 * word, stride, panel + 64 * word)


def prefetch_next_rows(rows: int, stride: int) -> None:
    """Prefetches the same place in the next sixteen rows into L2: the processor prefetches no stream so short."""
    for row in range(ROWS, 2 * ROWS):
        prefetch_second(rows + row * stride)


def bytes_of_row(row: int, col: int, cols: int) -> Lanes:
    """The 64 bytes of a row from a column on; zeros behind its last one."""
    left = cols - col
    vector: Lanes = load_bytes(row + col) if left >= 64 else load_some_bytes(row + col, left)
    return vector


def copy_codes(row: int, cols: int, out: int) -> None:
    """Copies a row of signed bytes as `simd.dot.biased` leaves them, with zeros up to a whole vector."""
    for col in range(0, cols, 64):
        store(out + col, biased(bytes_of_row(row, col, cols)))


def interleave_codes(rows: int, stride: int, cols: int, panel: int) -> None:
    """Interleaves sixteen rows of signed bytes, `stride` bytes apart, to a panel of codes; a multiple of 64 columns."""
    for col in range(0, cols, 64):
        prefetch_next_rows(rows + col, stride)
        for part in range(col, col + 64, 16):
            transpose_codes(rows + part, stride, panel + ROWS * part)


def panel_maker(
    write_codes: WriteRow, write_scales: WriteRowScales, interleave_stored: WriteRow, *, affine: bool = False
) -> PanelMaker:
    """The maker of panels of codes from rows that are stored one by one.

    Args:
        write_codes: writes a row's `round_up(cols)` codes, as `simd.dot.biased` leaves them or unsigned below 128.
        write_scales: writes a row's scales (and offsets), one for 32 columns.
        interleave_stored: writes the codes of sixteen rows as a panel has them, straight from where they are stored;
            called only where the columns are a multiple of 64.
        affine: whether there are offsets.
    """

    def panel(weights: int, row: int, count: int, out: int, scratch: int) -> None:
        cols = load_word(weights + COLS)
        wide = round_up(cols)
        stride, codes_stride = 4 * scale_words(wide), scratch_stride(wide)
        scales = scratch + ROWS * codes_stride
        offsets = scales + ROWS * stride
        if count == ROWS and cols == wide:
            interleave_stored(weights, row, out)
        else:
            for each in range(count):
                write_codes(weights, row + each, scratch + each * codes_stride)
            interleave(scratch, codes_stride, wide >> 2, out)
        for each in range(count):
            write_scales(weights, row + each, scales + each * stride, offsets + each * stride)
        for missing in range(count * stride, ROWS * stride, LINE):
            store(scales + missing, no_floats())
            if affine:
                store(offsets + missing, no_floats())
        interleave(scales, stride, stride >> 2, scales_of(out, wide))
        if affine:
            interleave(offsets, stride, stride >> 2, offsets_of(out, wide))

    return panel
