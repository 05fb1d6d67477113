"""What formats stored row by row share: the product with one activation, and decoding rows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fourcc.kernels.jit import Kernel
from fourcc.kernels.operands import COUNT, OUT, OUT_STEP, X
from fourcc.kernels.simd.memory import load_word

Function = Callable[..., Any]


def decoder(decode: Function) -> Kernel:
    """The kernel that decodes rows: `first` to `last`, or, where the job has X, those whose numbers it lists.

    Args:
        decode: (weights, row, out) writes a row's floats, and nothing beyond its last column.
    """

    def rows(weights: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
        listed, out, step = load_word(job + X), load_word(job + OUT), load_word(job + OUT_STEP)
        for index in range(first, last):
            row = load_word(listed + 8 * index) if listed else index
            decode(weights, row, out + step * index)

    return rows


def one_or_several(one: Kernel, several: Kernel) -> Kernel:
    """A kernel that takes `one` for a single activation and `several` for more."""

    def tile(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        if load_word(job + COUNT) == 1:
            one(weights, job, first, last, scratch)
        else:
            several(weights, job, first, last, scratch)

    return tile
