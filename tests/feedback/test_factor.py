"""The factor of a Hessian: what it is, what it costs, and what is refused."""

import re

import numpy as np
import pytest

from fourcc.arrays import Array
from fourcc.errors import UsageError
from fourcc.feedback.factor import Factor, factored
from fourcc.feedback.feedback import Feedback, as_feedback
from tests.feedback.hessians import hessian

LARGE = 1 << 30  # weights of a whole work that is done by compiled code


def parts_of(factor: Factor) -> tuple[Array, Array]:
    """U, (cols, cols), and D, (cols,)."""
    cols = len(factor.order)
    upper = factor.upper[:cols, :cols]
    return np.triu(upper, 1), upper.diagonal().copy()


@pytest.mark.parametrize("order", ["activity", "columns"])
@pytest.mark.parametrize("cols", [1, 7, 24, 65])
def test_its_product_is_the_damped_hessian(cols: int, order: str) -> None:
    h = hessian(cols)
    factor = factored(h, Feedback(damping=0.1, order=order), whole=0)  # type: ignore[arg-type]
    upper, pivots = parts_of(factor)
    unit = np.eye(cols) + upper
    damped = h.astype(np.float64) + 0.1 * h.diagonal().astype(np.float64).mean() * np.eye(cols)
    expected = damped[np.ix_(factor.order, factor.order)]
    assert np.abs((unit * pivots) @ unit.T - expected).max() < 1e-6 * np.abs(expected).max()


def test_the_most_active_columns_come_first() -> None:
    h = np.diag([1, 3, 2, 3]).astype(np.float32)
    assert factored(h, Feedback(), whole=0).order.tolist() == [1, 3, 2, 0]
    assert factored(h, Feedback(order="columns"), whole=0).order.tolist() == [0, 1, 2, 3]


def test_a_dead_column_takes_part_in_nothing() -> None:
    """Its shares are 0 both ways, and the damping is that of the other columns."""
    h = hessian(12, dead=(3, 8))
    alive = [col for col in range(12) if col not in {3, 8}]
    upper, _ = parts_of(factored(h, Feedback(order="columns"), whole=0))
    rest, _ = parts_of(factored(h[np.ix_(alive, alive)], Feedback(order="columns"), whole=0))
    assert not upper[[3, 8]].any()
    assert not upper[:, [3, 8]].any()
    assert np.array_equal(upper[np.ix_(alive, alive)], rest)


@pytest.mark.parametrize("whole", [0, LARGE])
def test_all_columns_may_be_dead(whole: int) -> None:
    """As those of a matrix whose inputs were always 0: nothing is fed back."""
    upper, _ = parts_of(factored(np.zeros((12, 12), np.float32), Feedback(), whole=whole))
    assert not upper.any()


@pytest.mark.parametrize(
    ("h", "message"),
    [
        (np.diag([1, np.nan, 1]), "the hessian holds NaN or infinity"),
        (np.diag([1, np.inf, 1]), "the hessian holds NaN or infinity"),
        (np.diag([1.0, -1, 1]), "the hessian is not positive definite"),
        (np.array([[1, 9], [9, 1.0]]), "the hessian is not positive definite. Calibrate on more text, or raise"),
    ],
    ids=["NaN", "infinity", "negative", "indefinite"],
)
@pytest.mark.parametrize("whole", [0, LARGE])
def test_refused(h: Array, message: str, whole: int) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        factored(h.astype(np.float32), Feedback(), whole=whole, tensor="wq")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "awq"}, "no such method of error feedback: found 'awq', expected gptq"),
        ({"order": "rows"}, "no such order of columns: found 'rows', expected activity or columns"),
        ({"damping": 0}, "bad damping: found 0, expected above 0, at most 1"),
        ({"damping": 1.5}, "bad damping: found 1.5, expected above 0, at most 1"),
        ({"damping": float("nan")}, "bad damping: found nan, expected above 0, at most 1"),
        ({"damping": "much"}, "bad damping: found 'much', expected above 0, at most 1"),
    ],
    ids=str,
)
def test_settings_are_checked(settings: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=re.escape(message)):
        Feedback(**settings)  # type: ignore[arg-type]


def test_a_text_is_a_method() -> None:
    assert as_feedback("gptq") == Feedback()
    assert as_feedback(None) is None
    with pytest.raises(UsageError, match="no such method"):
        as_feedback("rtn")
