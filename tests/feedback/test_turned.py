"""The Hessian and the weights as the blocks of a turned format take them, for any linear map."""

import re

import attrs
import numpy as np
import pytest

from fourcc.arrays import Array, Floats, Parts
from fourcc.compute.turning import Turning
from fourcc.errors import PluginError
from fourcc.feedback.turned import gram_factor, turned_hessian, turned_weights
from fourcc.format import Turn
from fourcc.geometry import Geometry
from tests.core.seam_formats import HADAMARD
from tests.feedback.hessians import hessian

COLS = 16


def turning_by(matrix: Array) -> Turning:
    """The turn whose matrix this is, float32 (cols, cols)."""

    def forward(x: Floats, _: Parts, __: Geometry) -> Floats:
        turned: Floats = x @ matrix.T
        return turned

    def back(rows: Floats, _: Parts, __: Geometry) -> Floats:
        turned: Floats = rows @ matrix
        return turned

    fmt = attrs.evolve(HADAMARD, turn=Turn(forward, back))
    return Turning(fmt, {}, Geometry(4, len(matrix), {}))


def any_map() -> Array:
    """Neither orthogonal nor diagonal, and well away from a map that loses something."""
    random = np.random.default_rng(0)
    matrix: Array = (np.eye(COLS) * 2 + random.standard_normal((COLS, COLS)) / 4).astype(np.float32)
    return matrix


@pytest.mark.parametrize(
    "matrix",
    [any_map(), np.diag(np.arange(1, COLS + 1)).astype(np.float32), np.eye(COLS, dtype=np.float32)[::-1].copy()],
    ids=["any", "scales", "permutation"],
)
def test_weights_turn_back_to_the_original(matrix: Array) -> None:
    turning, w = turning_by(matrix), np.random.default_rng(1).standard_normal((5, COLS))
    v = turned_weights(turning, gram_factor(turning, COLS, whole=0), w)
    assert np.abs(v @ matrix - w).max() < 1e-4


def test_the_hessian_is_that_of_turned_inputs() -> None:
    """An error of the blocks' weights costs the same there as its turned form costs at the true inputs."""
    matrix, h = any_map(), hessian(COLS)
    turned = turned_hessian(turning_by(matrix), h).astype(np.float64)
    error = np.random.default_rng(2).standard_normal((3, COLS))
    back = error @ matrix.astype(np.float64)
    expected = ((back @ h.astype(np.float64)) * back).sum()
    assert ((error @ turned) * error).sum() == pytest.approx(expected, rel=1e-4)


def test_a_map_that_loses_weights_is_refused() -> None:
    with pytest.raises(PluginError, match=re.escape("turn.back has no inverse: weights are lost")):
        gram_factor(turning_by(np.zeros((COLS, COLS), np.float32)), COLS, whole=0)
