"""Runs are remembered, so that later forecasts of speeds are those of this machine."""

from pathlib import Path

import pytest

import fourcc
from fourcc.cli.app import main
from fourcc.forecasting import remembered_runs
from fourcc.forecasting.known_rates import MEASURED, READ
from fourcc.forecasting.remembered_runs import LEAST_SECONDS, LEAST_TOKENS, RUN, remember_run
from fourcc.models.generate import Speed
from fourcc.rates.remembered import remember, remembered
from fourcc.rates.sample import Sample

TINY = Path(fourcc.__file__).with_name("example") / "tiny.bin"


def test_long_runs_of_slow_tokens_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Others tell nothing of large models. A ratio grows with the seconds. Memory is not measured for it."""
    monkeypatch.setenv("FOURCC_CACHE", str(tmp_path / "cache"))
    fourcc.convert(TINY, tmp_path / "model.bin")
    with fourcc.Model(tmp_path / "model.bin") as model:
        remember_run(model, Speed(tokens=100, seconds=1.0), 1)
        assert remembered() == {}
        for _ in range(MEASURED):
            remember({READ: Sample(1e-10, 1e-10, 1)})
        remember_run(model, Speed(tokens=LEAST_TOKENS - 1, seconds=100.0), 1)
        remember_run(model, Speed(tokens=100, seconds=99 * LEAST_SECONDS), 1)
        assert RUN not in remembered()
        remember_run(model, Speed(tokens=100, seconds=1.0), 1)
        remember_run(model, Speed(tokens=100, seconds=2.0), 1)
    first, second = remembered()[RUN]
    assert second.wall > 1.3 * first.wall > 0
    assert (first.threads, second.threads) == (1, 1)


def test_the_command_remembers_its_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After the text."""
    told: list[int] = []
    monkeypatch.setattr(remembered_runs, "remember_run", lambda model, speed, threads: told.append(speed.tokens))
    fourcc.convert(TINY, tmp_path / "model.bin", tokenizer=TINY.with_name("tiny_tokenizer.bin"))
    assert main(["run", str(tmp_path / "model.bin"), "-n", "6", "-t", "0", "-q"]) == 0
    assert told == [6 - 1]
