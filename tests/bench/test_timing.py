"""Turns, samples, and what they come to."""

import pytest

from fourcc.bench.timing import Rates, Series, Timing, ratio, take_turns


def test_turns_are_taken() -> None:
    """Each series once a round; the first run of a turn does not count; what must be set is set before it."""
    events: list[str] = []
    series = [
        Series("a", lambda: events.append("a"), repeats=1),
        Series("b", lambda: events.append("b"), ready=lambda: events.append("set"), repeats=2),
    ]
    ticks: list[str] = []
    take_turns(series, 2, ticks.append)
    assert "".join(events) == "aasetbbb" * 2
    assert ticks == ["a", "b", "a", "b"]
    assert [[len(turn) for turn in each.turns] for each in series] == [[1, 1], [2, 2]]


def test_what_is_compared_is_measured_in_the_same_moments() -> None:
    """Samples alternate, after a run of each; both keep them, turn by turn."""
    events: list[str] = []
    limit = Series("limit", lambda: events.append("l"), ready=lambda: events.append("set"))
    one = Series("one", lambda: events.append("o"), repeats=3, beside=limit)
    take_turns([one], 2, lambda _: None)
    assert "".join(events) == "setlo" + "lo" * 3 + "setlo" + "lo" * 3
    assert [[len(turn) for turn in each.turns] for each in (limit, one)] == [[3, 3], [3, 3]]


def test_a_ratio_is_that_of_turns() -> None:
    """A minute in which all take three times as long changes nothing; the medians alone would say 1."""
    ours = Series("ours", lambda: None, turns=[[1.0, 1.5], [3.0], [3.0]])
    theirs = Series("theirs", lambda: None, turns=[[2.0], [9.0, 6.0], [3.0]])
    assert (ours.bests, theirs.bests) == ([1.0, 3.0, 3.0], [2.0, 6.0, 3.0])
    assert ratio(theirs.bests, ours.bests) == 2.0
    with pytest.raises(ValueError, match="longer"):
        ratio([1.0], [1.0, 2.0])  # turns of one are missing


def test_what_is_freed_keeps_its_samples() -> None:
    """Matrices go, numbers stay."""
    series = Series("a", lambda: None, turns=[[3.0, 1.0], [2.0]])
    series.free()
    series.work()
    assert series.timing == Timing(1.0, 2.0, 3)


def test_rates() -> None:
    """The best is divided by the best, and the median by the median or by the turns' own."""
    rates = Timing(0.5, 1.0, 3).scaled(0.5).rates(10.0)
    assert rates == Rates(40.0, 20.0)
    assert rates.over(Rates(80.0, 80.0)) == Rates(0.5, 0.25)
    assert rates.over(Rates(80.0, 80.0), 0.75) == Rates(0.5, 0.75)
