"""The measured error: hand-computed, and summed in the order that the page says."""

from math import inf, isnan, log10, sqrt

import numpy as np
import pytest

from fourcc.arrays import Array
from fourcc.conversion.measured_errors import error_record
from fourcc.metrics import ErrorSums


def in_order(w: Array) -> float:
    """Sum of squares: down each column, then over the columns from left to right."""
    total = 0.0
    for column in w.astype(np.float64).T.tolist():
        down = 0.0
        for value in column:
            down += value * value
        total += down
    return total


def test_by_hand() -> None:
    """With w = (3, 4), decoded (3.5, 3): e = (-0.5, 1), sums 25 and 1.25."""
    sums = ErrorSums.of(np.array([[3, 4]], np.float32), np.array([[3.5, 3]], np.float32))
    assert sums == ErrorSums(25.0, 1.25, 1.0)
    assert sums.relative_rmse == sqrt(0.05)
    assert sums.sqnr_db == pytest.approx(10 * log10(20), rel=1e-15)


def test_no_error() -> None:
    """The error is 0 and the ratio infinite; a file stores 0 and nil."""
    sums = ErrorSums.of(np.ones((2, 2), np.float32), np.ones((2, 2), np.float32))
    assert (sums.relative_rmse, sums.sqnr_db, sums.max_error) == (0, inf, 0)
    assert error_record(sums) == (0.0, None, 0.0)


def test_no_signal() -> None:
    """An all-zero tensor that does not decode to zero; and one that does."""
    sums = ErrorSums.of(np.zeros((1, 2), np.float32), np.ones((1, 2), np.float32))
    assert (sums.relative_rmse, sums.sqnr_db) == (inf, -inf)
    assert error_record(sums) == (None, None, 1.0)
    assert ErrorSums().relative_rmse == 0


def test_six_digits_are_stored() -> None:
    """More would be noise."""
    record = error_record(ErrorSums(3.0, 1.0, 1 / 3))
    assert record == (0.57735, 4.77121, 0.333333)


@pytest.mark.parametrize("shape", [(1, 1), (1000, 1), (1, 1000), (7, 33), (300, 500), (70_000, 1), (3, 70_000)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_sums_are_in_the_page_s_order(shape: tuple[int, int], order: str) -> None:
    """To the last bit, whatever the arrays' layout in memory; numpy's own sum of a column would be in pairs."""
    random = np.random.default_rng(1)
    w = random.normal(size=shape).astype(np.float32)
    v = (w + random.normal(size=shape) / 9).astype(np.float32)
    sums = ErrorSums.of(np.asarray(w, order=order), np.asarray(v, order=order))  # type: ignore[call-overload]
    error = w.astype(np.float64) - v
    assert sums == ErrorSums(in_order(w), in_order(error), float(np.abs(error).max()))


def test_sums_of_tiles_add_up() -> None:
    """The largest error is the largest of all tiles."""
    assert ErrorSums(1, 2, 3) + ErrorSums(4, 5, 1) == ErrorSums(5, 7, 3)


def test_wide_numbers() -> None:
    """float64 beyond float32 in, float64 sums; squares beyond float64 are infinite and warn nobody."""
    w = np.array([[1e200, 1.0]])
    sums = ErrorSums.of(w, w * 2)
    assert sums.signal == sums.noise == inf
    assert isnan(sums.relative_rmse)


def test_nothing() -> None:
    """No weights, no sums."""
    assert ErrorSums.of(np.zeros((0, 4)), np.zeros((0, 4))) == ErrorSums()
