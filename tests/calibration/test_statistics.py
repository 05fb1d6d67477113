"""Statistics of inputs against sums and counts that are written from their description, number by number."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from numpy.typing import NDArray

from fourcc.calibration.statistics import BINS, BLOCK, InputStatistics, bin_edges, block_count

Floats = NDArray[np.float32]
FINITE = st.floats(-(2.0**100), 2.0**100, width=32)
INPUTS = npst.arrays(np.float32, st.tuples(st.integers(1, 5), st.integers(1, 70)), elements=FINITE)


def of(*inputs: Floats) -> InputStatistics:
    """Statistics of some batches."""
    found = InputStatistics.empty(inputs[0].shape[1])
    for x in inputs:
        found.add(x)
    return found


@given(INPUTS)
def test_sums_and_ranges(x: Floats) -> None:
    """Each column's, in the order of the tokens."""
    found = of(x)
    assert found.minimum is not None
    assert found.maximum is not None
    assert found.counts.tolist() == [len(x)]
    for column in range(x.shape[1]):
        total = 0.0
        for value in x[:, column].tolist():
            total += value * value
        assert found.squares[0, column] == total
        assert found.minimum[0, column] == min(x[:, column])
        assert found.maximum[0, column] == max(x[:, column])


@given(INPUTS)
def test_each_magnitude_is_between_the_edges_of_its_bin(x: Floats) -> None:
    """Counted for its block of columns."""
    edges, wanted = bin_edges().tolist(), np.zeros((block_count(x.shape[1]), BINS), np.int64)
    for row in np.abs(x).tolist():
        for column, value in enumerate(row):
            inside = [b for b in range(BINS) if edges[b] <= value < edges[b + 1]]
            assert len(inside) == 1
            wanted[column // BLOCK, inside[0]] += 1
    np.testing.assert_array_equal(of(x).magnitudes, wanted[None])


def test_an_octave_has_eight_bins() -> None:
    """As wide as each other; zero and what is too small are in the first bin, all that is too large in the last."""
    edges = bin_edges()
    at = edges.tolist().index(1.0)
    assert edges[at : at + 9].tolist() == [1, 1.125, 1.25, 1.375, 1.5, 1.625, 1.75, 1.875, 2]
    assert (edges[0], edges[-1]) == (0, math.inf)
    x = np.array([[0.0, -1e-30, 3e38]], np.float32)
    counts = of(x).magnitudes
    assert counts is not None
    assert (counts[0, 0, 0], counts[0, 0, -1], counts.sum()) == (2, 1, 3)


@given(INPUTS, st.integers(0, 5))
def test_merged_is_as_if_all_were_added(x: Floats, at: int) -> None:
    """But for the rounding of sums, which are made in another order."""
    cols = x.shape[1]
    one, other = InputStatistics.empty(cols), InputStatistics.empty(cols)
    for found, some in ((one, x[:at]), (other, x[at:])):
        if len(some):
            found.add(some)
    both, whole = one.merged(other), of(x)
    np.testing.assert_allclose(both.squares, whole.squares, rtol=1e-15)
    np.testing.assert_array_equal(both.counts, whole.counts)
    for name in ("minimum", "maximum", "magnitudes"):
        np.testing.assert_array_equal(getattr(both, name), getattr(whole, name))


def test_merged_with_what_knows_less() -> None:
    """Nothing is made up; other shapes are refused."""
    one = of(np.ones((2, 3), np.float32))
    both = one.merged(InputStatistics(np.ones((1, 3)), np.array([5])))
    assert (both.minimum, both.maximum, both.magnitudes) == (None, None, None)
    assert both.squares.tolist() == [[3, 3, 3]]
    with pytest.raises(ValueError, match=r"\(1, 3\) and \(1, 4\)"):
        one.merged(InputStatistics.empty(4))


def test_importance_is_the_mean_square() -> None:
    """A matrix without tokens has ones; a column that was always 0 counts as little as the least other one."""
    found = InputStatistics(np.array([[8.0, 0, 2], [0, 0, 0], [0, 0, 0]]), np.array([4, 0, 3]))
    assert found.importance.tolist() == [[2, 0.5, 0.5], [1, 1, 1], [1, 1, 1]]
    assert found.importance.dtype == np.float32
    assert (found.unseen, found.dead) == (1, 4)
