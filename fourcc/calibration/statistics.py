"""Statistics of the inputs of a matrix: sums of squares, ranges, and a histogram of magnitudes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

import attrs
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fourcc.arrays import Floats

BLOCK = 32  # columns that share a histogram, as they share a scale where activations become int8
STEPS = 8  # bins of an octave, as wide as each other
LOWEST, OCTAVES = -20, 32
BINS = STEPS * OCTAVES

_MANTISSA = 20  # bits of a float32 below the three that tell the step
_FIRST = (127 + LOWEST) * STEPS  # exponent and step of the second bin's lower edge


def bin_edges() -> Floats:
    """The magnitudes that bound the bins, float32 (BINS + 1,): bin b holds those from edge b on, below edge b + 1.

    Edge b is 2^(LOWEST + b // 8) * (1 + b % 8 / 8), but bin 0 begins at 0 and the last bin has no end.
    """
    numbers = np.arange(BINS + 1)
    edges: Floats = np.ldexp(1 + numbers % STEPS / STEPS, LOWEST + numbers // STEPS).astype(np.float32)
    edges[0], edges[-1] = 0, np.inf
    return edges


def block_count(cols: int) -> int:
    """Number of blocks of columns; the last may be short."""
    return -(-cols // BLOCK)


@attrs.frozen(eq=False)
class InputStatistics:
    """Statistics of the inputs of one matrix, or of each matrix of a stack, such as experts.

    Attributes:
        squares: float64 (matrices, cols), sums of squares.
        counts: int64 (matrices,), tokens seen.
        minimum, maximum: float32 (matrices, cols); infinite where there was no token. None where they are not known.
        magnitudes: int64 (matrices, blocks, BINS), how many inputs of a block of 32 columns had a magnitude between two
            of the `bin_edges`. None where it is not known.
    """

    squares: NDArray[np.float64]
    counts: NDArray[np.int64]
    minimum: Floats | None = None
    maximum: Floats | None = None
    magnitudes: NDArray[np.int64] | None = None

    def __repr__(self) -> str:
        matrices, cols = self.squares.shape
        return f"<InputStatistics of {matrices} x {cols} columns, {int(self.counts.sum())} tokens>"

    @classmethod
    def empty(cls, cols: int, matrices: int = 1) -> Self:
        """Statistics of matrices that have seen no token."""
        lowest, highest = (np.full((matrices, cols), value, np.float32) for value in (np.inf, -np.inf))
        magnitudes = np.zeros((matrices, block_count(cols), BINS), np.int64)
        return cls(np.zeros((matrices, cols)), np.zeros(matrices, np.int64), lowest, highest, magnitudes)

    @property
    def cols(self) -> int:
        """Columns of each matrix."""
        return int(self.squares.shape[1])

    def add(self, x: Floats, matrix: int = 0) -> None:
        """Adds inputs of one of the matrices, float32 (tokens, cols), all finite, in place.

        Sums are float64, a token after the other.
        """
        assert self.minimum is not None
        assert self.maximum is not None
        assert self.magnitudes is not None
        wide = x.astype(np.float64)
        self.squares[matrix] += np.add.reduce(wide * wide, axis=0)
        self.counts[matrix] += len(x)
        np.minimum(self.minimum[matrix], x.min(axis=0), out=self.minimum[matrix])
        np.maximum(self.maximum[matrix], x.max(axis=0), out=self.maximum[matrix])
        self.magnitudes[matrix] += _histograms(x)

    def merged(self, other: InputStatistics) -> InputStatistics:
        """Statistics of both inputs together; what only one knows is left out. Raises ValueError for other shapes."""
        if self.squares.shape != other.squares.shape:
            raise ValueError(f"{self.squares.shape} and {other.squares.shape}")
        both = self.minimum is not None and other.minimum is not None
        return InputStatistics(
            self.squares + other.squares,
            self.counts + other.counts,
            np.minimum(self.minimum, other.minimum) if both else None,  # type: ignore[arg-type]  # neither is None
            np.maximum(self.maximum, other.maximum) if both else None,  # type: ignore[arg-type]  # neither is None
            None if self.magnitudes is None or other.magnitudes is None else self.magnitudes + other.magnitudes,
        )

    @property
    def importance(self) -> Floats:
        """Mean squares, float32 (matrices, cols): what the error of a weight in each column counts.

        A matrix without tokens has ones. A column that was always 0 counts as little as the least other column of its
        matrix, but not nothing: an encoder may divide by the sum of a block.
        """
        means = self.squares / np.maximum(self.counts, 1)[:, None]
        narrow: Floats = means.astype(np.float32)
        for row, tokens in zip(narrow, self.counts, strict=True):
            positive = row[row > 0]
            row[(row == 0) | (tokens == 0)] = positive.min() if tokens and positive.size else 1
        return narrow

    @property
    def loudest(self) -> float | None:
        """The largest mean square of a column by the median one; None where that is 0."""
        means = self.squares / np.maximum(self.counts, 1)[:, None]
        median = float(np.median(means))
        return float(means.max()) / median if median else None

    @property
    def limits(self) -> tuple[float, float] | None:
        """The smallest and the largest input; None where they are not known, or there was no token."""
        if self.minimum is None or self.maximum is None or not self.counts.any():
            return None
        return float(self.minimum.min()), float(self.maximum.max())

    @property
    def unseen(self) -> int:
        """Number of matrices that have seen no token."""
        return int((self.counts == 0).sum())

    @property
    def dead(self) -> int:
        """Number of columns that were always 0, in matrices that have seen tokens."""
        return int((self.squares[self.counts > 0] == 0).sum())


def _histograms(x: Floats) -> NDArray[np.int64]:
    """How many inputs of each block fall into each bin, int64 (blocks, BINS)."""
    tokens, cols = x.shape
    blocks = block_count(cols)
    bits = np.ascontiguousarray(x).view(np.uint32) & np.uint32(0x7FFFFFFF)
    bins = np.clip((bits >> np.uint32(_MANTISSA)).astype(np.int64) - _FIRST, 0, BINS - 1)
    bins += (np.arange(cols) // BLOCK * BINS)[None, :]  # (tokens, cols)
    return np.bincount(bins.reshape(tokens * cols), minlength=blocks * BINS).reshape(blocks, BINS)
