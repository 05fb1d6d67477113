"""Statistics of tensors against exact arithmetic: rational numbers, and numpy on the whole array."""

from collections.abc import Callable
from fractions import Fraction
from math import inf, isnan, sqrt
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

import fourcc
from fourcc import tiles
from fourcc.analysis.moments import Moments
from fourcc.analysis.statistics import FAR, first_reading, second_reading, statistics
from fourcc.sources import open_source
from fourcc.sources.source import SourceTensor
from tests.cli.making import write_safetensors

Doubles = NDArray[np.float64]
NUMBERS = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=12)


def exact(values: list[float]) -> tuple[Fraction, Fraction, Fraction, Fraction]:
    """Mean and central sums in rational numbers."""
    w = [Fraction(value) for value in values]
    mean = sum(w) / len(w)
    second, third, fourth = (sum((each - mean) ** power for each in w) for power in (2, 3, 4))
    return mean, Fraction(second), Fraction(third), Fraction(fourth)


@given(st.lists(NUMBERS, min_size=1, max_size=4))
def test_moments_of_tiles_add_up_to_those_of_all(tiles: list[list[float]]) -> None:
    """They agree to the precision of float64, on the scale of the weights."""
    found = Moments()
    for tile in tiles:
        found += Moments.of(np.array(tile))
    everything = [value for tile in tiles for value in tile]
    mean, *sums = exact(everything)
    scale = max(map(abs, everything))
    assert found.count == len(everything)
    assert (found.low, found.high) == (min(everything), max(everything))
    assert abs(found.mean - mean) <= 1e-13 * scale
    for power, (sum_found, sum_exact) in enumerate(
        zip((found.second, found.third, found.fourth), sums, strict=True), start=2
    ):
        assert abs(Fraction(sum_found) - sum_exact) <= 1e-11 * len(everything) * (2 * scale) ** power


def test_a_far_mean_does_not_spoil_the_deviation() -> None:
    """A difference of two sums of squares would spoil it."""
    values = 1e8 + np.arange(1000) % 2
    found = Moments.of(values[:300]) + Moments.of(values[300:])
    assert found.std == pytest.approx(0.5)
    assert found.kurtosis == pytest.approx(1)


def test_kurtosis_is_three_for_a_normal_distribution() -> None:
    """It is 1.8 for a uniform one, and undefined for equal weights."""
    rng = np.random.default_rng(1)
    assert Moments.of(rng.standard_normal(400_000)).kurtosis == pytest.approx(3, abs=0.05)
    assert Moments.of(rng.uniform(size=400_000)).kurtosis == pytest.approx(1.8, abs=0.01)
    assert isnan(Moments.of(np.full(10, 0.25)).kurtosis)
    assert isnan(Moments().kurtosis)


@pytest.fixture
def tensor(tmp_path: Path) -> Callable[..., SourceTensor]:
    """A tensor of a checkpoint."""

    def make(values: NDArray[np.float64] | NDArray[np.float32] | NDArray[np.int64]) -> SourceTensor:
        source = open_source(write_safetensors(tmp_path / "x.safetensors", {"w": values}))
        return source.tensors[0]

    return make


def test_all_measures_against_the_whole_array(
    tensor: Callable[..., SourceTensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tensor of several tiles, with experts and a few weights far away, agrees with numpy."""
    monkeypatch.setattr(tiles, "TILE_WEIGHTS", 64)
    rng = np.random.default_rng(2)
    values = rng.standard_normal((3, 17, 24)).astype(np.float32)
    values[1, 3] *= 5
    values[0, 0, 0] = 40
    wide = values.astype(np.float64)
    found = statistics(tensor(values))
    assert (found.weights, found.nonfinite) == (values.size, 0)
    assert (found.minimum, found.maximum) == (wide.min(), wide.max())
    assert found.mean == pytest.approx(wide.mean(), rel=1e-12)
    assert found.std == pytest.approx(wide.std(), rel=1e-12)
    centred = wide - wide.mean()
    assert found.kurtosis == pytest.approx((centred**4).mean() / (centred**2).mean() ** 2, rel=1e-12)
    assert found.outliers == np.mean(np.abs(centred) > FAR * wide.std())
    assert found.outliers > 0
    rows = np.sqrt((wide**2).mean(axis=2)).ravel()
    columns = np.sqrt((wide.reshape(-1, 24) ** 2).mean(axis=0))
    for spread, levels in ((found.rows, rows), (found.columns, columns)):
        assert spread is not None
        assert (spread.low, spread.median, spread.high) == pytest.approx(
            (levels.min(), np.median(levels), levels.max())
        )
    counts, edges = np.histogram(wide, 32)
    assert [each.count for each in found.bins] == counts.tolist()
    assert [each.low for each in found.bins] == pytest.approx(edges[:-1])


def test_equal_bytes_give_equal_numbers(tensor: Callable[..., SourceTensor]) -> None:
    """Sums have one order."""
    one = tensor(np.random.default_rng(3).standard_normal((700, 512)).astype(np.float32))
    assert statistics(one) == statistics(one)


def test_no_more_than_a_tile_is_decoded_at_once(
    tensor: Callable[..., SourceTensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice over the tensor, and never the whole of it."""
    sizes, real = list[int](), tiles.Tile.decode
    monkeypatch.setattr(tiles.Tile, "decode", lambda tile: sizes.append(tile.geom.rows) or real(tile))
    statistics(tensor(np.ones((2048, 512), np.float32)))
    assert max(sizes) * 512 <= tiles.TILE_WEIGHTS
    assert sum(sizes) == 2 * 2048


def test_what_is_not_finite_counts_for_nothing_else(tensor: Callable[..., SourceTensor]) -> None:
    """This holds for channels, too."""
    found = statistics(tensor(np.array([[3, np.nan], [4, np.inf], [5, 0]], np.float32)))
    assert (found.weights, found.nonfinite, found.minimum, found.maximum, found.mean) == (6, 2, 0, 5, 3)
    assert found.rows is not None
    assert attrs.astuple(found.rows) == pytest.approx((3 / sqrt(2), 4 / sqrt(2), 5 / sqrt(2)))
    nothing = statistics(tensor(np.array([[np.nan]], np.float32)))
    assert (nothing.kurtosis, nothing.outliers, nothing.bins) == (None, None, ())


def test_numbers_beyond_float64_are_not_told(tensor: Callable[..., SourceTensor]) -> None:
    """Their squares are infinite, and so would be what is made of them."""
    found = statistics(tensor(np.array([[1e300, -1e300], [1e308, 1]])))
    assert (found.std, found.kurtosis, found.rows, found.columns) == (None, None, None, None)
    assert found.maximum == 1e308


def test_a_vector_has_no_channels_and_a_scalar_statistics(tensor: Callable[..., SourceTensor]) -> None:
    """One row tells nothing of rows."""
    found = statistics(tensor(np.arange(5, dtype=np.float32)))
    assert (found.rows, found.columns, found.mean) == (None, None, 2)
    assert statistics(tensor(np.array(7.0, np.float32))).maximum == 7
    assert statistics(tensor(np.arange(4))).mean == 1.5


def test_an_extent_makes_bars_in_given_places(tensor: Callable[..., SourceTensor]) -> None:
    """So two tensors can be laid over each other."""
    one = tensor(np.array([[0, 1, 2, 3]], np.float32))
    found = second_reading(one, first_reading(one, codes=False), (-4, 4), 8)
    assert [(each.low, each.count) for each in found.bins][3:] == [(-1, 0), (0, 1), (1, 1), (2, 1), (3, 1)]


def test_an_overflow_while_adding_is_no_error() -> None:
    """The deviation is infinite, and of the kurtosis nothing is known."""
    found = Moments.of(np.array([1e200])) + Moments.of(np.array([-1e200]))
    assert found.std == inf
    assert isnan(found.kurtosis)


def test_statistics_of_codes_stay_those_of_a_quantized_tensor(tmp_path: Path) -> None:
    """Codes are counted if they are asked for."""
    weights = np.random.default_rng(4).standard_normal((8, 64)).astype(np.float32)
    write_safetensors(tmp_path / "x.safetensors", {"w": weights})
    fourcc.convert(tmp_path / "x.safetensors", tmp_path / "m.bin", policy=fourcc.Policy.shorthand("Q8_0"))
    with open_source(tmp_path / "m.bin") as source:
        assert statistics(source.tensors[0]).of_codes
        assert not first_reading(source.tensors[0], codes=False).codes
