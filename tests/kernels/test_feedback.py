"""Error feedback by kernels: the bits of the numpy code, compiled and as plain Python."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.arrays import Array
from fourcc.compute import error_feedback
from fourcc.feedback.columns import codes_by_column, distances_by_column
from fourcc.feedback.factor import factored, upper_factor
from fourcc.feedback.feedback import Feedback
from fourcc.grid import Grid
from fourcc.kernels.compiler import jit
from tests.examples import examples
from tests.feedback.hessians import hessian, steps, table
from tests.kernels.other_targets import on_any_processor, passes
from tests.kernels.random_inputs import SEEDS

LARGE = 1 << 30  # weights of a whole work that is done by compiled code
SIZES = st.one_of(st.integers(1, 40), st.sampled_from([64, 129]))


def factor_of(h: Array) -> Array:
    room = error_feedback.room_for(len(h))
    places = np.arange(len(room))
    room[places, places] = 1
    room[: len(h), : len(h)] = h
    return room


def check_factor(h: Array) -> None:
    fast, slow = factor_of(h), factor_of(h)
    error_feedback.factorize(fast, upper_factor, whole=LARGE)
    upper_factor(slow)
    assert np.array_equal(np.triu(fast), np.triu(slow))


def check_codes(w: Array, grid: Grid, h: Array) -> None:
    upper = factored(h, Feedback(order="columns"), whole=0).upper
    fast = error_feedback.choose(w, grid, upper, codes_by_column, whole=LARGE)
    assert np.array_equal(fast, codes_by_column(w, grid, upper))
    levels = grid.at(fast + grid.low)
    far = error_feedback.distances(w, levels, upper, distances_by_column, whole=LARGE)
    assert np.array_equal(far, distances_by_column(w, levels, upper), equal_nan=True)


@examples(60)
@given(SEEDS, SIZES, st.integers(-20, 20))
def test_factors(seed: int, cols: int, exponent: int) -> None:
    check_factor(hessian(cols, seed).astype(np.float64) * 2.0**exponent + np.eye(cols) * 2.0**exponent)


@examples(60)
@given(SEEDS, st.integers(1, 20), SIZES, st.sampled_from([partial(table, count=n) for n in (2, 3, 16)] + [steps]))
def test_codes(seed: int, rows: int, cols: int, levels: object) -> None:
    w = np.random.default_rng(seed).standard_normal((rows, cols))
    check_codes(w, levels(rows, cols, seed=seed), hessian(cols, seed))  # type: ignore[operator]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_levels_that_are_not_finite(value: float) -> None:
    w, h = np.random.default_rng(0).standard_normal((9, 20)), hessian(20)
    for grid in (table(9, 20), steps(9, 20)):
        grid.levels[0, 3] = grid.levels[-1, 5, 7] = value
        check_codes(w, grid, h)


def test_as_plain_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernels mean the same where nothing is compiled."""
    monkeypatch.setattr(error_feedback, "either", lambda kernel, whole, fast, slow: fast(kernel))
    monkeypatch.setattr(jit, "compiled", lambda kernel: kernel)
    check_factor(hessian(11).astype(np.float64) + np.eye(11))
    for grid in (table(9, 11), steps(9, 11)):
        check_codes(np.random.default_rng(0).standard_normal((9, 11)), grid, hessian(11))


@pytest.mark.thorough
@pytest.mark.thorough
@on_any_processor
def test_on_any_processor(name: str) -> None:
    """The instructions of other machines give the same bits."""
    passes(__file__, name, "factors or codes or finite")
