"""The cuts of ordered weights, compared with exact fractions."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fourcc.arrays import Array
from fourcc.formats.searches import kmeans1d
from tests import naive
from tests.examples import examples


def error_of(ordered: Array, runs: Array) -> Fraction:
    """The exact sum of squared errors of one block's cut."""
    total = Fraction(0)
    for run in np.unique(runs):
        inside = [Fraction(float(x)) for x in ordered[runs == run]]
        mean = sum(inside) / len(inside)
        total += sum((x - mean) ** 2 for x in inside)
    return total


def check_best(ordered: Array, count: int) -> None:
    """No cut of the block is better, except where float64 cannot tell."""
    runs = kmeans1d.optimal_runs(ordered[None], count)[0]
    assert runs[0] == 0
    assert runs[-1] == count - 1
    assert set(np.diff(runs)) <= {0, 1}
    centred = ordered.astype(np.float64) - ordered[len(ordered) // 2]
    slack = Fraction(float((centred**2).sum())) / 2**40
    assert error_of(ordered, runs) <= naive.least_error(ordered.tolist(), count) + slack


@examples(30)
@given(arrays(np.float32, st.integers(16, 28), elements=st.floats(-1000, 1000, width=32)))
def test_sixteen_runs_are_the_best(w: Array) -> None:
    check_best(np.sort(w), 16)


@examples(30)
@given(arrays(np.float32, st.integers(4, 20), elements=st.integers(-9, 9).map(float)), st.integers(2, 4))
def test_a_few_runs_of_small_integers_are_the_best(w: Array, count: int) -> None:
    check_best(np.sort(w), count)


@pytest.mark.parametrize("seed", range(3))
def test_a_long_block_of_heavy_tails_is_cut_best(seed: int) -> None:
    check_best(np.sort(np.random.default_rng(seed).standard_t(3, 96).astype(np.float32)), 16)


def test_small_spread_around_a_large_value_is_still_cut_best() -> None:
    """Without centring, the squares of 2^23 would drown it."""
    random = np.random.default_rng(1)
    check_best(np.sort(2.0**23 + random.integers(0, 60, 96)).astype(np.float32), 16)


def test_of_equally_good_cuts_the_leftmost_is_taken() -> None:
    """Backwards, the last run is as long as possible without a cost."""
    runs = kmeans1d.optimal_runs(np.arange(5, dtype=np.float32)[None], 4)
    assert runs.tolist() == [[0, 1, 2, 3, 3]]


def test_blocks_do_not_touch_each_other() -> None:
    """More blocks than one batch, each cut as if it were alone."""
    ordered = np.sort(np.random.default_rng(1).standard_normal((kmeans1d.BATCH + 3, 20), dtype=np.float32), axis=1)
    together = kmeans1d.optimal_runs(ordered, 16)
    for at in (0, kmeans1d.BATCH - 1, kmeans1d.BATCH, len(ordered) - 1):
        np.testing.assert_array_equal(together[at], kmeans1d.optimal_runs(ordered[at : at + 1], 16)[0])


@pytest.mark.parametrize(("n", "sizes"), [(256, [16] * 16), (17, [1] * 15 + [2]), (16, [1] * 16), (3, [1, 1, 1])])
def test_equal_runs(n: int, sizes: list[int]) -> None:
    runs = kmeans1d.equal_runs(np.zeros((1, n), np.float32), 16)[0]
    assert np.bincount(runs).tolist() == sizes


def test_the_mean_of_a_run_is_summed_in_float64() -> None:
    ordered = np.array([[-(2.0**30), 1.0, 2.0**30, 7.0]], np.float32)
    means = kmeans1d.run_means(ordered, np.array([[0, 0, 0, 1]]), 3)
    assert means.tolist() == [[np.float32(1 / 3), 7, 7]]
