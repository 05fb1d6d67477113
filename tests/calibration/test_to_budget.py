"""A conversion to a budget does by itself what calibrate, measure, allocate and convert do, and keeps what is best."""

from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any

import attrs
import pytest

import fourcc
from fourcc.calibration import to_budget
from fourcc.calibration.fitting import FittedMix, fit
from fourcc.calibration.to_budget import ToBudget, convert_to_budget
from fourcc.calibration.two_texts import two_texts
from fourcc.errors import UsageError
from tests.conftest import ROOT

FOLDER = ROOT / "fourcc" / "example"
MODEL, TOKENIZER = FOLDER / "tiny.bin", FOLDER / "tiny_tokenizer.bin"
OPTIONS = "Q4_Z,Q4_M,Q8_Z"  # rows of 96 and 176 fit them


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Few stories of the training text."""
    path = tmp_path_factory.mktemp("text") / "stories.txt"
    path.write_text("\n\n".join((FOLDER / "training.txt").read_text().split("\n\n")[:16]))
    return path


def converted(output: Path, text: Path, **changes: Any) -> ToBudget:
    """The shipped model in 5 bits a weight."""
    settings = {"options": OPTIONS, "documents": True, "tokenizer": TOKENIZER, "threads": 1, **changes}
    return convert_to_budget(MODEL, output, settings.pop("budget", "5.2bpw"), text, **settings)


@pytest.fixture(scope="module")
def told() -> list[str]:
    """The stages and notes that the conversion tells."""
    return []


@pytest.fixture(scope="module")
def made(text: Path, told: list[str], tmp_path_factory: pytest.TempPathFactory) -> ToBudget:
    """A conversion with error feedback."""

    def stage(what: str, unit: str) -> Callable[[str, int, int], None]:
        told.append(what)
        return lambda name, done, total: None

    return converted(tmp_path_factory.mktemp("made") / "model.bin", text, stage=stage, note=told.append)


def test_the_output_is_the_mix_that_was_allocated_and_measured(made: ToBudget, text: Path) -> None:
    kept = made.kept
    assert kept.kind == "mix"
    assert kept.divergence.mean == min(each.divergence.mean for each in made.candidates)
    with fourcc.open(made.result.path) as model:
        assert 8 * sum(model[name].nbytes for name in model) / sum(prod(model[name].shape) for name in model) <= 5.2
    last = two_texts(text.read_text(), text)[1]
    again = fourcc.evaluate(
        made.result.path, last, reference=MODEL, tokenizer=TOKENIZER, documents=True, activations="exact"
    )
    assert again.divergence is not None
    assert again.divergence.mean == pytest.approx(kept.divergence.mean, rel=1e-9)
    assert kept.file_bytes == made.result.path.stat().st_size


def test_the_best_uniform_format_is_measured_beside_the_mix(made: ToBudget) -> None:
    rival = next(each for each in made.candidates if each.kind == "uniform")
    assert rival.name in OPTIONS
    assert rival.bits_per_weight <= 5.2
    assert rival.divergence.mean > made.kept.divergence.mean


@pytest.mark.thorough
def test_the_bytes_do_not_depend_on_threads(made: ToBudget, text: Path, tmp_path: Path) -> None:
    again = converted(tmp_path / "model.bin", text, threads=3)
    assert again.result.path.read_bytes() == made.result.path.read_bytes()


def test_a_rival_that_measures_better_is_kept(text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The mix is made the worst one, as it would be by costs that are wrong."""

    def worst(*arguments: Any) -> FittedMix:
        good = fit(*arguments)
        source, costs, _, pins = arguments
        bad = fit(source, costs, to_budget.Budget.of("4.6bpw"), pins)
        assert good.uniform is not None
        return attrs.evolve(good, allocation=bad.allocation, plan=bad.plan)

    monkeypatch.setattr(to_budget, "fit", worst)
    made = converted(tmp_path / "model.bin", text, budget="8.6bpw", options="Q4_Z,Q8_Z,Q8_B")
    assert made.kept.kind == "uniform"
    assert made.kept.name == "Q8_Z"
    with fourcc.open(made.result.path) as model:
        assert str(model["layers.0.attention.wq"].tag) == "Q8_Z"


@pytest.mark.usefixtures("made")
def test_stages_and_notes_are_told(told: list[str]) -> None:
    assert [each for each in told if "measuring text" not in each] == [
        "calibrating",
        "measuring",
        "converting mix",
        "comparing mix",
        "converting Q4_Z",
        "comparing Q4_Z",
    ]
    assert any("fewer than 2000" in line for line in told)


def test_what_cannot_be_is_refused_before_any_work(text: Path, tmp_path: Path) -> None:
    begun: list[str] = []
    for changes, words in (
        ({"budget": "much"}, "no budget is spelled so"),
        ({"feedback": "gtpq"}, "no such method of error feedback"),
        ({"pins": "role=embedding"}, "pin"),
        ({"pins": "role=embeding:Q8_0"}, "the pin 'role=embeding' selects no unit. Did you mean 'embedding'"),
        ({"pins": "*:Q9"}, "cannot have Q9, expected one of "),
        ({"options": "Q9"}, "no installed package provides the format Q9"),
        ({"options": ["Q2_Q"]}, "no installed package provides the format Q2_Q. did you mean 'Q2_K'"),
        ({"budget": "2bpw"}, r"no mix is within the budget: found .* bits a weight for the smallest, expected 2bpw"),
        ({"budget": "1GB"}, r"the budget is above every mix: found .* for the largest, expected 1GB"),
    ):
        with pytest.raises(UsageError, match=words):
            converted(tmp_path / "model.bin", text, stage=lambda what, unit: begun.append(what), **changes)
    (tmp_path / "there.bin").write_bytes(b"x")
    with pytest.raises(UsageError, match="the output exists"):
        converted(tmp_path / "there.bin", text, stage=lambda what, unit: begun.append(what))
    assert not begun
    assert not (tmp_path / "model.bin").exists()
