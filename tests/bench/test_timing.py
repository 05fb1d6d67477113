"""Turns, samples, and what they come to."""

from fourcc.bench.timing import Rates, Series, Timing, take_turns


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
    assert [len(each.seconds) for each in series] == [2, 4]


def test_what_is_freed_keeps_its_samples() -> None:
    """Matrices go, numbers stay."""
    series = Series("a", lambda: None, seconds=[3.0, 1.0, 2.0])
    series.free()
    series.work()
    assert series.timing == Timing(1.0, 2.0, 3)


def test_rates() -> None:
    """Best with best, median with median."""
    rates = Timing(0.5, 1.0, 3).scaled(0.5).rates(10.0)
    assert rates == Rates(40.0, 20.0)
    assert rates.over(Rates(80.0, 80.0)) == Rates(0.5, 0.25)
