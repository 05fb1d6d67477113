"""Codes chosen column by column: against GPTQ with an inverse, and by what they cost."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fourcc
from fourcc.feedback.columns import better_codes, chosen_codes, output_errors
from fourcc.feedback.factor import factored
from fourcc.feedback.feedback import Feedback
from fourcc.grid import Grid
from tests import naive
from tests.examples import examples
from tests.feedback.hessians import hessian, output_error, steps, table

COLUMNS = Feedback(order="columns")
SEEDS = st.integers(0, 2**32 - 1)


def all_levels(grid: Grid, rows: int, cols: int) -> np.ndarray:
    """Every level, float64 (levels, rows, cols)."""
    codes = np.arange(grid.low, grid.high + 1)
    return np.stack([grid.at(np.full((rows, cols), code)) for code in codes])


@examples(30)
@given(SEEDS, st.integers(1, 3), st.integers(1, 20), st.sampled_from([table, steps]))
def test_they_are_those_of_gptq(seed: int, rows: int, cols: int, levels: object) -> None:
    """GPTQ as its paper has it, written down in Python, has an inverse instead of a factor."""
    grid, h = levels(rows, cols, seed=seed), hessian(cols, seed)  # type: ignore[operator]
    w = np.random.default_rng(seed).standard_normal((rows, cols))
    codes = chosen_codes(w, grid, factored(h, COLUMNS, whole=0), whole=0) - grid.low
    places = all_levels(grid, rows, cols)
    for row in range(rows):
        expected = naive.gptq(w[row].tolist(), places[:, row].T.tolist(), h.astype(np.float64).tolist(), 0.01)
        assert codes[row].tolist() == expected


@pytest.mark.parametrize("order", ["activity", "columns"])
def test_the_output_error_is_what_the_factor_says(order: str) -> None:
    """tr(E H E^T) is the sum over columns of D_k times the squared distance between level and target."""
    rows, cols = 5, 30
    h, grid = hessian(cols), table(rows, cols)
    w = np.random.default_rng(1).standard_normal((rows, cols))
    factor = factored(h, Feedback(order=order), whole=0)  # type: ignore[arg-type]
    error = (grid.at(chosen_codes(w, grid, factor, whole=0)) - w)[:, factor.order]
    upper = factor.upper[:cols, :cols]
    off = error + error @ np.triu(upper, 1)  # decoded minus target
    damped = h.astype(np.float64) + 0.01 * h.diagonal().astype(np.float64).mean() * np.eye(cols)
    expected = ((error @ damped[np.ix_(factor.order, factor.order)]) * error).sum()
    assert (off * off * upper.diagonal()).sum() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("levels", [table, steps])
def test_it_costs_less_than_the_nearest_codes(levels: object) -> None:
    rows, cols = 20, 64
    h, grid = hessian(cols), levels(rows, cols)  # type: ignore[operator]
    w = np.random.default_rng(2).standard_normal((rows, cols))
    nearest = np.abs(all_levels(grid, rows, cols) - w).argmin(axis=0) + grid.low
    fed = chosen_codes(w, grid, factored(h, Feedback(), whole=0), whole=0)
    costs = [output_error(grid.at(codes) - w, h) for codes in (nearest, fed)]
    errors = [np.square(grid.at(codes) - w).sum() for codes in (nearest, fed)]
    assert costs[1] < 0.9 * costs[0]
    assert errors[1] > errors[0]  # of the weights themselves


@pytest.mark.parametrize("levels", [table, steps])
def test_a_row_that_would_lose_keeps_its_codes(levels: object) -> None:
    """The output errors are those of tr(E H E^T), row by row, with the damped Hessian."""
    rows, cols = 12, 40
    h, grid = hessian(cols), levels(rows, cols)  # type: ignore[operator]
    w = np.random.default_rng(6).standard_normal((rows, cols))
    factor = factored(h, Feedback(), whole=0)
    fed = chosen_codes(w, grid, factor, whole=0)
    stored = np.random.default_rng(7).integers(grid.low, grid.high + 1, (rows, cols))
    stored[::2] = fed[::2]
    w[::2] = grid.at(stored)[::2] + 1e-3  # almost nothing can be better
    found = better_codes(w, grid, stored, factor, whole=0)
    damped = h.astype(np.float64) + 0.01 * h.diagonal().astype(np.float64).mean() * np.eye(cols)
    tried = [stored, chosen_codes(w, grid, factor, whole=0)]
    costs = np.array([[error @ damped @ error for error in grid.at(each) - w] for each in tried])
    assert np.allclose(output_errors(w, grid.at(stored), factor, whole=0), costs[0], rtol=1e-9)
    for row in range(rows):
        assert np.array_equal(found[row], tried[int(costs[0, row] >= costs[1, row])][row])
    assert (costs[0] >= costs[1]).any()


def test_an_encoder_whose_errors_cancel_keeps_its_codes() -> None:
    """Where all inputs are nearly equal, k-means is best: its bins are means, so the errors of a block sum to 0."""
    x = np.random.default_rng(0).standard_normal((2000, 1)) + 0.1 * np.random.default_rng(1).standard_normal(
        (2000, 256)
    )
    h = (x.T @ x / len(x)).astype(np.float32)
    w = np.random.default_rng(2).standard_t(4, (8, 256)).astype(np.float32)
    costs = [
        output_error(
            fourcc.encode(w, "Q4_A", aids=fourcc.Aids(None, h), feedback=each).decode().astype(np.float64) - w, h
        )
        for each in (None, Feedback(), Feedback(order="columns"))
    ]
    assert max(costs[1:]) <= costs[0] * (1 + 1e-3)


def test_a_dead_column_keeps_its_nearest_code() -> None:
    rows, cols = 9, 16
    h, grid = hessian(cols, dead=(0, 5)), table(rows, cols)
    w = np.random.default_rng(3).standard_normal((rows, cols))
    codes = chosen_codes(w, grid, factored(h, Feedback(), whole=0), whole=0)
    nearest = np.abs(grid.levels - w).argmin(axis=0)
    assert np.array_equal(codes[:, [0, 5]], nearest[:, [0, 5]])
    assert not np.array_equal(codes, nearest)


def test_of_equal_levels_the_first() -> None:
    grid = Grid(0, 3, np.array([1, -1, 1, -1], np.float32)[:, None, None] * np.ones((4, 1, 3), np.float32))
    w = np.array([[1.0, -1.0, 0.0]])
    codes = chosen_codes(w, grid, factored(np.eye(3, dtype=np.float32), COLUMNS, whole=0), whole=0)
    assert codes.tolist() == [[0, 1, 0]]


def test_a_level_that_is_not_finite_is_not_chosen() -> None:
    grid = Grid(
        0, 3, np.array([np.nan, np.inf, 5, -np.inf], np.float32)[:, None, None] * np.ones((4, 2, 2), np.float32)
    )
    codes = chosen_codes(np.zeros((2, 2)), grid, factored(np.eye(2, dtype=np.float32), COLUMNS, whole=0), whole=0)
    assert codes.tolist() == [[2, 2], [2, 2]]
