"""The forecast below the plan of a dry run, and what is remembered for it."""

import re
from pathlib import Path

import pytest

from fourcc.forecasting import forecast
from fourcc.rates.remembered import rates_file, remember
from fourcc.rates.sample import Sample
from tests.cli.making import Run, Runner


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own, on a machine where nothing else happens."""
    monkeypatch.setenv("FOURCC_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(forecast, "load", lambda: 0.0)


def told(ended: Run) -> dict[str, str]:
    """The facts of a forecast, by their names."""
    assert ended.code == 0
    lines = ended.out.partition("\n\n")[2].splitlines()
    return dict(re.split("  +", line, maxsplit=1) for line in lines if "  " in line)  # type: ignore[misc]  # two each


def test_a_dry_run_says_what_it_takes(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """Time, memory, disk, and how the result runs; whatever the figures are, they are rounded ranges."""
    ended = run("convert", tiny, "-o", tmp_path / "x.bin", "--format", "Q8_0,F16", "--threads", "2", "--dry-run")
    facts = told(ended)
    assert facts["time"].endswith(" on 2 threads")
    assert facts["peak memory"].startswith("about ")
    assert facts["disk"].startswith("451 kB to write, ")
    assert facts["disk"].endswith(f" free in {tmp_path}: it fits")
    assert " tokens/s (" in facts["speed to run"]
    lines = ended.out.splitlines()
    head = lines.index("context  memory to run  keys and values  fits here")
    assert lines[head + 1].split()[0] == "256"
    assert "keys and values" in lines[head]
    assert "time, speed, memory to run: scaled from measurements on another machine" in lines
    assert not list(tmp_path.glob("x*"))


def test_without_an_output_the_disk_is_not_asked(run: Runner, tiny: Path) -> None:
    assert told(run("convert", tiny, "--format", "Q8_0,F16", "--dry-run"))["disk"] == "451 kB to write"


def test_a_disk_that_is_too_small(run: Runner, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is said; nothing is refused, since nothing is written."""
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("Usage", (), {"free": 1000}))
    facts = told(run("convert", tiny, "-o", tmp_path / "x.bin", "--format", "Q8_0,F16", "--dry-run"))
    assert facts["disk"] == f"451 kB to write, but only 1.0 kB free in {tmp_path}: it does not fit"


@pytest.mark.parametrize("command", ["convert", "export"])
def test_a_cap_on_memory(run: Runner, tiny: Path, tmp_path: Path, command: str) -> None:
    """Whether it holds, with how many threads, or why it cannot."""
    output = tmp_path / {"convert": "x.bin", "export": "x.gguf"}[command]
    asked = (command, tiny, "-o", output, "--format", "Q8_0,F16", "--threads", "2", "--dry-run", "-q", "--memory")
    assert told(run(*asked, "64GB"))["peak memory"].endswith(": --memory 64 GB holds with 2 threads")
    refused = run(*asked, "1MB")
    assert "refused: the cap on memory is below " in refused.out
    assert refused.code == 2


def test_exports_and_quantize_are_forecast(run: Runner, tiny: Path, tmp_path: Path) -> None:
    for command in ("export", "quantize"):
        ended = run(command, tiny, "-o", tmp_path / "x.gguf", "--format", "Q8_0,F16", "--dry-run", "-q")
        assert set(told(ended)) >= {"time", "peak memory", "disk", "speed to run"}


def test_a_part_of_a_model_is_not_run(run: Runner, tiny: Path) -> None:
    facts = told(run("convert", tiny, "--include", "norm", "--dry-run", "-q"))
    assert facts["to run"] == "not forecast: a part of a model is not run"


def test_a_busy_machine_is_said(run: Runner, tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "load", lambda: 1000.0)
    out = run("convert", tiny, "--dry-run").out
    assert out.endswith("other programs keep this machine busy (load 1000.0), so it may take longer\n")


def test_as_json(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """The figures with their ends and where they come from; `policy check` has none."""
    asked = ("convert", tiny, "-o", tmp_path / "x.bin", "--format", "Q8_0,F16", "--threads", "1", "--dry-run", "--json")
    found = run(*asked, "--memory", "64GB").document["forecast"]
    assert (found["threads"], found["memory_cap"], found["memory_refused"]) == (1, 64 * 10**9, None)
    assert (found["fits_on_disk"], found["not_run"], found["never_measured"]) == (True, None, [])
    assert [each["figure"] for each in found["figures"]][:3] == ["time", "peak memory", "output"]
    for each in found["figures"]:
        assert each["low"] <= each["middle"] <= each["high"]
    policy = tmp_path / "policy.toml"
    policy.write_text('version = 1\n[[rule]]\nmatch = "*"\nkeep = true\n', encoding="utf-8")
    assert "forecast" not in run("policy", "check", policy, tiny, "--json").document


def test_the_cache_tells_and_forgets(run: Runner) -> None:
    """`fourcc cache` counts kinds of work; `--clear` forgets them."""
    remember({"encode X": Sample(1e-9, 1e-9, 1), "decode Y": Sample(1e-9, 1e-9, 1)})
    assert "rates    2 kinds of work, for forecasts\n" in run("cache").out
    assert run("cache", "--clear").out.endswith("cleared\n")
    assert not rates_file().exists()
    assert "rates    none remembered\n" in run("cache").out
