"""Products with one activation, row by row; choosing a product by the number of activations; decoding of rows."""

from __future__ import annotations

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import (
    CODES,
    CODES_STRIDE,
    COUNT,
    JOB,
    LINE,
    OUT,
    OUT_STRIDE,
    SCALES,
    SCALES_STRIDE,
    SUMS,
    X_STRIDE,
    ZERO_CORRECTIONS,
    X,
)
from fourcc.kernels.products.signatures import WriteRow
from fourcc.kernels.simd.memory import load_word, store_word

JOB_BYTES = -(-JOB.size // LINE) * LINE


def decoder(decode: WriteRow) -> KernelFunction:
    """The kernel that decodes rows: `first` to `last`, or, where the job has X, those whose numbers X lists.

    Args:
        decode: writes a row's floats, and nothing beyond its last column.
    """

    def rows(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        listed, out, stride = load_word(job + X), load_word(job + OUT), load_word(job + OUT_STRIDE)
        for index in range(first, last):
            row = load_word(listed + 8 * index) if listed else index
            decode(weights, row, out + stride * index)

    return rows


def choose_by_count(most: int, small_n: KernelFunction, gemm: KernelFunction) -> KernelFunction:
    """A kernel that takes `small_n` for up to `most` activations, and `gemm` for more."""

    def tile(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        if load_word(job + COUNT) <= most:
            small_n(weights, job, first, last, scratch)
        else:
            gemm(weights, job, first, last, scratch)

    return tile


def one_or_several(one: KernelFunction, several: KernelFunction) -> KernelFunction:
    """A kernel that takes `one` for a single activation, and `several` for more."""
    return choose_by_count(1, one, several)


def repeated_gemv(gemv: KernelFunction, rows: int = 32) -> KernelFunction:
    """The product with one activation, and with a few, one after the other.

    A few rows at a time are multiplied by all activations, so they come from the cache for all but the first.

    Args:
        gemv: the product with one activation.
        rows: how many at a time.
    """

    def small_n(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        for row in range(first, last, rows):
            for column in range(load_word(job + COUNT)):
                write_column_job(job, column, scratch)
                gemv(weights, scratch, row, min(last, row + rows), scratch + JOB_BYTES)

    return one_or_several(gemv, small_n)


def write_column_job(job: int, column: int, out: int) -> None:
    """Writes the job of one activation of several."""
    write_part_of_job(job, column, column, 1, out)


def write_part_of_job(job: int, x_first: int, out_first: int, count: int, out: int) -> None:
    """Writes the job of some neighbouring activations of several, whose products are neighbours, too.

    Args:
        job: of all.
        x_first: the number of the first activation.
        out_first: the number of the first product.
        count: how many.
        out: address of `JOB_BYTES` bytes.
    """
    scale_stride, codes_stride = load_word(job + SCALES_STRIDE), load_word(job + CODES_STRIDE)
    x_stride, out_stride = load_word(job + X_STRIDE), load_word(job + OUT_STRIDE)
    store_word(out + COUNT, count)
    store_word(out + OUT, load_word(job + OUT) + out_first * out_stride)
    store_word(out + OUT_STRIDE, out_stride)
    store_word(out + X, load_word(job + X) + x_first * x_stride)
    store_word(out + X_STRIDE, x_stride)
    store_word(out + CODES, load_word(job + CODES) + x_first * codes_stride)
    store_word(out + CODES_STRIDE, codes_stride)
    store_word(out + SCALES, load_word(job + SCALES) + x_first * scale_stride)
    store_word(out + SCALES_STRIDE, scale_stride)
    store_word(out + ZERO_CORRECTIONS, load_word(job + ZERO_CORRECTIONS) + x_first * scale_stride)
    store_word(out + SUMS, load_word(job + SUMS) + x_first * scale_stride)
