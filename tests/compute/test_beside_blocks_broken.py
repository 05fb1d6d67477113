"""A broken turn, or broken sparse weights, break decoding as they break products: already in a conversion."""

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import pytest

from fourcc.arrays import Floats
from fourcc.encoding import encode
from fourcc.errors import PluginError
from fourcc.format import Sparse, Turn
from tests.compute.beside_blocks import PLAIN, SPARSE
from tests.core.fakes import installed

W = np.random.default_rng(0).standard_normal((6, 40)).astype(np.float32)
ONE = np.ones(1, np.float32)


@pytest.mark.parametrize(
    ("sparse", "text"),
    [
        (Sparse(np.array([-1]), np.array([0]), ONE), "rows -1 to -1, expected 0 to 5"),
        (Sparse(np.array([0]), np.array([40]), ONE), "columns 40 to 40, expected 0 to 39"),
        (Sparse(np.array([0]), np.array([0]), np.ones(1, int)), "int64, int64, int64, expected integers"),
        (Sparse(np.array([0, 1]), np.array([0, 1]), ONE), r"shapes \(\(2,\), \(2,\), \(1,\)\)"),
        (Sparse(np.array(0), np.array(0), np.float32(1)), r"shapes \(\(\), \(\), \(\)\)"),
    ],
)
def test_sparse_weights_are_checked_when_they_are_decoded(sparse: Sparse, text: str) -> None:
    fmt = attrs.evolve(SPARSE, tag="Sbrx", extra=lambda *_: sparse)
    with installed(fmt), pytest.raises(PluginError, match=f"extra of the format Sbrx .* found {text}"):
        encode(W, "Sbrx")


def doubled_in_place(x: Floats, *_: Any) -> Floats:
    """Changes its argument."""
    x *= 2
    return x


def test_a_turn_may_not_work_in_place_anywhere() -> None:
    fmt = attrs.evolve(PLAIN, tag="Inpx", turn=Turn(doubled_in_place, doubled_in_place))
    with installed(fmt), pytest.raises(PluginError, match="output array is read-only"):
        encode(W, "Inpx")


def same(x: Floats, *_: Any) -> Floats:
    """Nothing is turned."""
    return x


@pytest.mark.parametrize("back", [same, lambda x, *_: x[:]])
def test_decoded_weights_may_be_written_to(back: Callable[..., Floats]) -> None:
    """Weights of a turn that gives what it got are, with sparse ones."""
    with installed(attrs.evolve(SPARSE, tag="Samx", turn=Turn(same, back))):
        q = encode(W, "Samx")
        decoded = q.format.decode(q.parts, q.format.geometry(W.shape))
        assert decoded.flags.writeable
        np.testing.assert_array_equal(decoded, q.decode())
