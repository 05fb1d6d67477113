"""Intervals of means: how often they hold the truth, what they are made from, and where there are none."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from fourcc.models.intervals import FEWEST, MOST, SHORTEST, Interval, TextBlocks, student

Doubles = NDArray[np.float64]

# Student's 97.5 % quantiles, from the tables of any textbook.
STUDENT = {9: 2.262, 10: 2.228, 14: 2.145, 19: 2.093, 24: 2.064, 29: 2.045, 10**6: 1.960}


def series(tokens: int, correlation: float, seed: int) -> Doubles:
    """An autoregressive series of order 1 whose mean is 0, skewed as losses are: its steps are exponential."""
    steps = np.random.default_rng(seed).exponential(size=tokens + 200) - 1
    weights = correlation ** np.arange(200)
    return np.convolve(steps, weights)[200 : 200 + tokens]


@pytest.mark.parametrize("tokens", [640, 1000, 4000])
@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.8])
def test_intervals_hold_the_mean_as_often_as_they_say(tokens: int, correlation: float) -> None:
    """95 %: of 400 draws between 90 and 98 %, with as few blocks as there may be, and with many."""
    blocks, draws = TextBlocks.of([tokens], whole=False), 400
    assert blocks.enough
    found = [blocks.interval(series(tokens, correlation, seed)) for seed in range(draws)]
    held = sum(each.low <= 0 <= each.high for each in found if each.low is not None and each.high is not None)
    assert 0.90 <= held / draws <= 0.98


def test_documents_are_what_is_drawn() -> None:
    """Intervals are wider where documents differ by more than their tokens do."""
    rng, held, draws = np.random.default_rng(3), 0, 400
    for _ in range(draws):
        lengths = [int(each) for each in rng.integers(20, 180, 60)]
        values = [rng.standard_normal() + rng.standard_normal(length) for length in lengths]
        found = TextBlocks.of(lengths, whole=True).interval(np.concatenate(values))
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0 <= found.high
    assert 0.90 <= held / draws <= 0.98


def test_blocks_are_consecutive_and_about_equal() -> None:
    """There are at most 30 blocks of 64 tokens or more; a window's end separates nothing."""
    for tokens in (64, 639, 640, 1919, 1920, 5000, 123_457):
        blocks = TextBlocks.of([tokens // 3, tokens - tokens // 3], whole=False)
        np.testing.assert_array_equal(blocks.starts + blocks.counts, [*blocks.starts[1:], tokens])
        assert blocks.shortest >= SHORTEST
        assert blocks.counts.max() - blocks.shortest <= 1
        assert len(blocks.starts) == min(MOST, tokens // SHORTEST)
        assert blocks.enough == (tokens >= FEWEST * SHORTEST)


def test_documents_are_never_parted() -> None:
    """They are joined until a block has its tokens, here an eleventh of all: 66; long ones are blocks by themselves."""
    lengths = [100, 7, 3, 400, 64, 30, 30, 30, 64]
    blocks = TextBlocks.of(lengths, whole=True)
    assert set(blocks.starts) <= {int(each) for each in np.cumsum([0, *lengths])}
    assert list(blocks.counts) == [100, 410, 94, 124]
    many = TextBlocks.of([100] * 500, whole=True)
    assert many.shortest == 1700
    assert len(many.starts) == 29


def test_with_fewer_than_ten_blocks_there_is_no_interval() -> None:
    """The mean is there, and the reason for the missing interval."""
    few = TextBlocks.of([639], whole=False)
    assert few.interval(np.arange(639.0)) == Interval(319.0, None, None)
    assert str(few) == (
        "no intervals: 639 tokens make 9 blocks of consecutive tokens, 64 tokens or more in each; 10 are needed"
    )
    one = TextBlocks.of([1], whole=False)
    assert str(one).startswith("no intervals: 1 token makes 0 blocks of consecutive tokens, ")
    documents = TextBlocks.of([5000] * 3, whole=True)
    assert str(documents).startswith("no intervals: 15000 tokens make 3 blocks of whole documents, ")
    assert repr(Interval(1.5)) == "1.5 (no interval)"
    assert Interval(1.5).half is None
    assert Interval(0.0).exponential() == Interval(1.0)


def test_with_ten_blocks_there_is_one() -> None:
    """The text says what it is made from."""
    blocks = TextBlocks.of([640], whole=False)
    found = blocks.interval(series(640, 0, 1))
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.mean < found.high
    assert str(blocks) == ("95 % intervals by bootstrap of 10 blocks of consecutive tokens, 64 tokens or more in each")
    assert found.exponential() == Interval(math.exp(found.mean), math.exp(found.low), math.exp(found.high))


def test_equal_numbers_give_equal_intervals_and_more_tokens_narrower_ones() -> None:
    """Sixteen times the tokens, about a quarter of the width; that of 30 blocks is known to a seventh."""
    widths = []
    for tokens in (4000, 16_000, 64_000):
        blocks, values = TextBlocks.of([tokens], whole=False), series(tokens, 0.5, 2)
        found = blocks.interval(values)
        assert found == blocks.interval(values.copy())
        assert found.half is not None
        widths.append(found.half)
    assert 2.5 < widths[0] / widths[2] < 6.5


def test_what_is_constant_has_no_spread() -> None:
    """This holds for any number of blocks."""
    found = TextBlocks.of([6400], whole=False).interval(np.full(6400, 0.1))
    assert found.half is not None
    assert found.half < 1e-15


def test_a_perplexity_beyond_floats_is_infinite() -> None:
    """No warning is given."""
    assert Interval(1000.0, 1.0, 2000.0).exponential() == Interval(math.inf, math.e, math.inf)


def test_students_quantiles_are_those_of_tables() -> None:
    """They agree to a thousandth."""
    for freedom, wanted in STUDENT.items():
        assert student(1.959964, freedom) == pytest.approx(wanted, abs=1.1e-3)
