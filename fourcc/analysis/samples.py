"""Samples of a tensor's weights: whole rows, spread evenly over it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from math import prod
from operator import itemgetter

import numpy as np

from fourcc.arrays import Array
from fourcc.geometry import split_shape
from fourcc.sources.source import SourceTensor
from fourcc.tiles import decoded_rows

SAMPLE = 1 << 18  # weights of a tensor that formats are tried on, and that are encoded at once


def sampled_rows(tensor: SourceTensor, step: int, sample: int) -> Iterator[tuple[int, Array]]:
    """Rows of a tensor, about `SAMPLE` weights at a time, in order; no run has rows of two matrices.

    Args:
        tensor: a matrix, or a stack of them, that is not empty.
        step: rows that belong together, such as those of a block; a run has whole ones.
        sample: number of weights; 0: all.

    Yields:
        The number of the matrix among the leading dimensions, and its rows, (rows, cols) of the format's dtype.
    """
    _, rows, cols = split_shape(tensor.shape)
    at_once = max(1, SAMPLE // (step * cols))
    for matrix, group in groupby(_places(tensor, step, sample), key=itemgetter(0)):
        firsts = [first for _, first in group]
        for start in range(0, len(firsts), at_once):
            ends = [(first, min(rows, first + step)) for first in firsts[start : start + at_once]]
            yield matrix, np.concatenate([decoded_rows(tensor, tensor.format, matrix, *each) for each in ends])


def _places(tensor: SourceTensor, step: int, sample: int) -> list[tuple[int, int]]:
    """Matrices and first rows, spread evenly; the first and the last among them where there are two or more."""
    lead, rows, cols = split_shape(tensor.shape)
    starts = [(matrix, first) for matrix in range(prod(lead)) for first in range(0, rows, step)]
    wanted = len(starts) if sample <= 0 else min(len(starts), max(1, sample // (step * cols)))
    return [starts[number * (len(starts) - 1) // max(1, wanted - 1)] for number in range(wanted)]
