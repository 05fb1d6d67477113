"""The conformance kit over the registry: fourcc's own formats come in through the door that third parties' use."""

import json
from pathlib import Path

import pytest

from fourcc.plugins.entries import OWN
from fourcc.plugins.registry import registry
from fourcc.tags import FourCC
from fourcc.testing import CHECKS, Trial, trials
from tests.kernels.one_of_each_kind import DEAR, FEW, is_thorough, of_each_kind

TAGS = [tag for tag in registry if registry.entry(tag).distribution == OWN]
ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "specs" / "vectors"

SHARE = "one of fifteen shares of a matrix's range: two importances often agree on it"
SEARCHED = "the search for scales may find others for decoded weights"

# What a page says of a format, and a check notes; nothing else may be noted.
NOTED = {
    ("Q8_B", "idempotence"): "the mean of decoded weights is another one",
    ("Q8_F", "idempotence"): "127 times a float32, over 127, is another one now and then",
    ("Q8_G", "idempotence"): "127 times a float32, over 127, is another one now and then",
    ("F8_G", "idempotence"): "448 times a float32, over 448, is another one now and then",
    ("Q8_T", "idempotence"): "127 times a float32, over 127, is another one now and then",
    ("Q8_M", "idempotence"): "so is 255 times one, over 255",
    ("Q4_M", "idempotence"): "so is 15 times one, over 15",
    ("Q8_Z", "idempotence"): "so is 255 times one, over 255; and the zero point is rounded again",
    ("Q4_Z", "idempotence"): "so is 15 times one, over 15; and the zero point is rounded again",
    ("Q8_T", "calibration"): SHARE,
    ("Q8_M", "calibration"): SHARE,
    ("Q4_M", "calibration"): SHARE,
    ("IQ4X", "idempotence"): SEARCHED,
    ("Q2_K", "idempotence"): SEARCHED,
    ("Q3_K", "idempotence"): SEARCHED,
    ("Q4_K", "idempotence"): SEARCHED,
    ("Q5_K", "idempotence"): SEARCHED,
    ("Q6_K", "idempotence"): SEARCHED,
    ("TC2", "idempotence"): "the scale is fitted after the search for a ring",
    ("TC3", "idempotence"): "the scale is fitted after the search for a ring",
    ("TC4", "idempotence"): "the scale is fitted after the search for a ring",
    ("TC2", "narrow bound"): "the worst case of one weight among 256 takes the whole error",
    ("TC3", "narrow bound"): "the worst case of one weight among 256 takes the whole error",
    ("TC4", "narrow bound"): "the worst case of one weight among 256 takes the whole error",
    ("Q2_K", "narrow bound"): "small weights count almost nothing in the search for a scale",
    ("Q4_K", "narrow bound"): "the worst case of one weight whose error counts least",
    ("Q4_A", "narrow bound"): "the worst case of one weight among 256 takes the whole error",
}

every = pytest.mark.parametrize("tag", TAGS, ids=str)


SAMPLE = of_each_kind(map(str, TAGS))


def every_trial() -> list[object]:
    """Every check of every built-in format, the dear ones marked."""
    found = [trial for tag in TAGS for trial in trials(registry[tag], vectors=VECTORS / f"{str(tag).lower()}.json")]
    return [pytest.param(trial, marks=pytest.mark.thorough) if is_dear(trial) else trial for trial in found]


def is_dear(trial: Trial) -> bool:
    """Whether a trial is for thorough runs."""
    return is_thorough(trial.check.name, str(trial.subject.tag), SAMPLE)


def test_the_dear_checks_are_checks() -> None:
    assert {check.name for check in CHECKS} > DEAR
    assert set(SAMPLE) >= FEW


@pytest.mark.parametrize("trial", every_trial(), ids=str)
def test_conformance(trial: Trial) -> None:
    outcome = trial()
    if (trial.subject.tag, trial.check.name) not in NOTED:
        assert not outcome.findings, "\n\n".join(map(str, outcome.findings))


@every
def test_names_itself_as_its_files_do(tag: FourCC, root: Path) -> None:
    """One stem in every folder: ``ls`` shows what is missing."""
    stem = str(tag).lower()
    assert registry.entry(tag).name == str(tag)
    for path in (
        f"formats/{stem}.py",
        f"tests/formats/test_{stem}.py",
        f"specs/{stem}.md",
        f"specs/vectors/{stem}.json",
    ):
        assert (root / path).is_file(), f"{path} is missing"


@every
def test_declares_a_bound_where_it_encodes(tag: FourCC) -> None:
    assert (registry[tag].bound is not None) == (registry[tag].encode is not None)


@every
def test_quantized_formats_show_their_codes(tag: FourCC) -> None:
    found = registry[tag]
    assert found.codes is not None or found.encode is None or found.nonfinite


@every
def test_has_vectors_of_its_own(tag: FourCC) -> None:
    vectors = json.loads((VECTORS / f"{str(tag).lower()}.json").read_text(encoding="ascii"))
    assert vectors["tag"] == str(tag)
    assert vectors["provenance"]
    assert any(case["result"] == "valid" for case in vectors["cases"])
