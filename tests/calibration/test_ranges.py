"""Static ranges from histograms, against a slow search over the numbers themselves."""

from pathlib import Path

import attrs
import numpy as np
import pytest

from fourcc.arrays import Array, Floats
from fourcc.calibration.ranges import ranges_of, shares_lost, static_ranges
from fourcc.calibration.statistics import BLOCK, InputStatistics, bin_edges
from fourcc.errors import UsageError


def recorded(*xs: Array) -> InputStatistics:
    """Statistics of inputs that came in several batches."""
    statistics = InputStatistics.empty(xs[0].shape[1])
    for x in xs:
        statistics.add(np.ascontiguousarray(x, np.float32))
    return statistics


def squared_error(x: Array, clip: float) -> float:
    """The squared error of 8-bit codes, by making them."""
    step = clip / 127
    return float(np.sum((x - step * np.clip(np.rint(x / step), -127, 127)) ** 2))


def drawn(kind: str, tokens: int = 400, cols: int = 40) -> Floats:
    """Inputs of a kind, with a short last block."""
    random = np.random.default_rng(3)
    x = random.standard_normal((tokens, cols))
    if kind == "laplace":
        x = random.laplace(size=(tokens, cols))
    if kind == "one loud token":  # as the first of a text may be
        x[0] *= 300
    if kind == "rare":
        x *= random.random((tokens, cols)) ** 8
    return x.astype(np.float32)


@pytest.mark.parametrize("kind", ["normal", "laplace", "one loud token", "rare"])
def test_the_clip_errs_hardly_more_than_the_best_of_a_slow_search(kind: str) -> None:
    """It is held against 400 clips, tried on the numbers themselves; no clip is above the largest of these."""
    x = drawn(kind)
    ranges = ranges_of(recorded(x[:100], x[100:]), most_lost=1)
    assert ranges is not None
    assert ranges.dtype == np.float32
    assert len(ranges) == 2
    for block, found in enumerate(ranges):
        numbers = x[:, BLOCK * block : BLOCK * (block + 1)].astype(np.float64)
        largest = np.abs(numbers).max()
        best = min(squared_error(numbers, clip) for clip in np.linspace(largest / 400, largest, 400))
        assert 0 < found <= largest
        assert squared_error(numbers, float(found)) <= 1.1 * best


def test_the_share_that_is_lost_is_that_of_the_codes() -> None:
    """Counted over codes that were made; a whole bin is counted or none of it."""
    x = drawn("rare")
    statistics = recorded(x)
    assert statistics.magnitudes is not None
    clips = np.array([2, 0.5], np.float32)
    for block, (clip, share) in enumerate(
        zip(clips, shares_lost(statistics.magnitudes[0], bin_edges(), clips), strict=True)
    ):
        numbers = x[:, BLOCK * block : BLOCK * (block + 1)]
        numbers = numbers[np.abs(numbers) >= bin_edges()[1]]
        assert 0.1 < share == pytest.approx(np.mean(np.rint(numbers / (clip / 127)) == 0), rel=0.05)


def test_a_clip_is_the_recorded_maximum_where_nothing_is_gained_below() -> None:
    """All numbers have one magnitude, which is no bin's edge."""
    ranges = ranges_of(recorded(np.full((9, 32), -1.3)))
    np.testing.assert_array_equal(ranges, np.float32(1.3))


def test_a_block_that_was_always_0_has_the_largest_range_of_the_others() -> None:
    x = np.ones((5, 96))
    x[:, :32], x[:, 32:64] = 0, 3
    np.testing.assert_array_equal(ranges_of(recorded(x)), [3, 3, 1])


def test_uneven_inputs_have_no_ranges() -> None:
    """A range that one loud token asks for loses the others; and one such block is enough."""
    assert ranges_of(recorded(drawn("normal"))) is not None
    loud = recorded(drawn("one loud token"))
    assert ranges_of(loud) is None
    assert ranges_of(loud, most_lost=1) is not None
    x = drawn("normal")
    x[0, 35] *= 1000
    assert ranges_of(recorded(x)) is None


def test_what_was_not_recorded_has_no_ranges() -> None:
    """A matrix without tokens, one whose inputs were all 0, a stack, an importance matrix of another program."""
    known = recorded(drawn("normal"))
    assert ranges_of(InputStatistics.empty(40)) is None
    assert ranges_of(recorded(np.zeros((3, 40)))) is None
    assert ranges_of(attrs.evolve(known, counts=np.ones(2, np.int64))) is None
    foreign = InputStatistics(known.squares, known.counts)
    assert ranges_of(foreign) is None
    with pytest.raises(UsageError, match=r"b.gguf: the calibration holds no ranges of activations. `fourcc calibrate`"):
        static_ranges({"w": foreign}, Path("b.gguf"))
    assert list(static_ranges({"w": foreign, "v": known}, Path("b.gguf"))) == ["v"]
