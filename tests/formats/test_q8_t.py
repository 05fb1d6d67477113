"""Q8_T, tested against ``specs/q8_t.md``."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc import tiles
from fourcc.arrays import Array
from fourcc.encoding import encode
from tests.formats.checks import check_naive, check_naive_decode, check_vectors, random_parts
from tests.formats.strategies import matrices


def test_vectors() -> None:
    check_vectors("q8_t")


@given(matrices(st.integers(1, 3), st.integers(1, 40)))
def test_is_the_plain_python(w: Array) -> None:
    check_naive("Q8_T", w)


@given(st.integers(1, 3), st.integers(1, 9), st.integers(0, 99))
def test_any_bytes_decode_as_the_plain_python(rows: int, cols: int, seed: int) -> None:
    check_naive_decode("Q8_T", random_parts("Q8_T", rows, cols, seed), rows, cols)


@pytest.mark.parametrize("tag", ["Q8_T", "Q8_M", "Q4_M"])
def test_the_scale_is_that_of_all_tiles(tag: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The extremes are searched before the first tile, some rows at a time."""
    w = np.random.default_rng(1).standard_normal((50, 40)).astype(np.float32)
    w[49, 39], w[20, 0] = 9, -8
    whole = encode(w, tag)
    monkeypatch.setattr(tiles, "TILE_WEIGHTS", 100)
    monkeypatch.setattr("fourcc.formats.layouts.extremes.AT_ONCE", 90)
    tiled = encode(w, tag)
    assert {name: part.tobytes() for name, part in tiled.parts.items()} == {
        name: part.tobytes() for name, part in whole.parts.items()
    }
    assert whole.decode()[49, 39] == pytest.approx(9)


def test_an_expert_has_a_scale_of_its_own() -> None:
    w = np.ones((2, 3, 4), np.float32)
    w[1] *= 100
    assert (encode(w, "Q8_T").parts["scale"] * 127).round(3).tolist() == [[1], [100]]
