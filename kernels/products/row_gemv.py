"""What formats stored row by row share: the product with one activation, and decoding rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

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
from fourcc.kernels.simd.memory import load_word, store_word

Function = Callable[..., Any]
FEW = 3  # activations that are multiplied one by one where making a panel would cost more
JOB_BYTES = -(-JOB.size // LINE) * LINE


def decoder(decode: Function) -> KernelFunction:
    """The kernel that decodes rows: `first` to `last`, or, where the job has X, those whose numbers it lists.

    Args:
        decode: (weights, row, out) writes a row's floats, and nothing beyond its last column.
    """

    def rows(weights: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
        listed, out, step = load_word(job + X), load_word(job + OUT), load_word(job + OUT_STRIDE)
        for index in range(first, last):
            row = load_word(listed + 8 * index) if listed else index
            decode(weights, row, out + step * index)

    return rows


def up_to(most: int, few: KernelFunction, several: KernelFunction) -> KernelFunction:
    """A kernel that takes `few` for up to `most` activations, and `several` for more."""

    def tile(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        if load_word(job + COUNT) <= most:
            few(weights, job, first, last, scratch)
        else:
            several(weights, job, first, last, scratch)

    return tile


def one_or_several(one: KernelFunction, several: KernelFunction) -> KernelFunction:
    """A kernel that takes `one` for a single activation, and `several` for more."""
    return up_to(1, one, several)


def one_by_one(one: KernelFunction, align: int = 32) -> KernelFunction:
    """The product with one activation, and with a few as so many with one each.

    They are taken some rows at a time, which come from the cache then.

    Args:
        one: the product with one activation.
        align: rows at a time.
    """

    def few(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        for row in range(first, last, align):
            for column in range(load_word(job + COUNT)):
                copy_job(job, column, scratch)
                one(weights, scratch, row, min(last, row + align), scratch + JOB_BYTES)

    return up_to(1, one, few)


def copy_job(job: int, column: int, out: int) -> None:
    """The job of one of several activations."""
    step, codes_step = load_word(job + SCALES_STRIDE), load_word(job + CODES_STRIDE)
    x_step, out_step = load_word(job + X_STRIDE), load_word(job + OUT_STRIDE)
    store_word(out + COUNT, 1)
    store_word(out + OUT, load_word(job + OUT) + column * out_step)
    store_word(out + OUT_STRIDE, out_step)
    store_word(out + X, load_word(job + X) + column * x_step)
    store_word(out + X_STRIDE, x_step)
    store_word(out + CODES, load_word(job + CODES) + column * codes_step)
    store_word(out + CODES_STRIDE, codes_step)
    store_word(out + SCALES, load_word(job + SCALES) + column * step)
    store_word(out + SCALES_STRIDE, step)
    store_word(out + ZERO_CORRECTIONS, load_word(job + ZERO_CORRECTIONS) + column * step)
    store_word(out + SUMS, load_word(job + SUMS) + column * step)
