"""A cap on memory: what does not fit is refused before work starts, with its name, its need and the cap."""

from pathlib import Path

import pytest

import fourcc
from fourcc.calibration import memory_need
from fourcc.errors import UsageError
from tests.conftest import ROOT

FOLDER = ROOT / "fourcc" / "example"
MODEL, TOKENIZER, TEXT = FOLDER / "tiny.bin", FOLDER / "tiny_tokenizer.bin", FOLDER / "heldout.txt"
MB = 10**6


@pytest.fixture(autouse=True)
def known_base(monkeypatch: pytest.MonkeyPatch) -> None:
    """The process itself takes 100 MB."""
    monkeypatch.setattr(memory_need, "base_bytes", lambda: 100 * MB)


def calibrated(folder: Path, memory: int, **changes: object) -> None:
    asked = {"tokens": 100, "tokenizer": TOKENIZER, "hessian": True, "memory": memory, **changes}
    fourcc.calibrate(MODEL, TEXT, folder / "calib", **asked)  # type: ignore[arg-type]  # of many kinds


def test_a_model_that_does_not_fit(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"the process with the weights of 'layers\.\d' does not fit the cap on memory: found --mem"
    ):
        calibrated(tmp_path, 100 * MB)
    with pytest.raises(
        UsageError, match=r"the process with the weights of 'layers\.\d' does not fit the cap on memory: found --mem"
    ):
        fourcc.measure(MODEL, TEXT, options="Q8_0", tokens=20, tokenizer=TOKENIZER, memory=100 * MB)
    assert list(tmp_path.iterdir()) == []


def test_hessians_that_do_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are named, with the roles that leave them out."""
    monkeypatch.setattr(memory_need, "hessian_bytes", lambda inputs, hessians: 0 if inputs[0].cols < 176 else 50 * MB)
    with pytest.raises(UsageError) as refused:
        calibrated(tmp_path, 140 * MB)
    text = str(refused.value)
    assert "4 Hessians do not fit the cap on memory: that of 'layers.0.feed_forward.w2' needs 15" in text
    assert "found --memory of 140 MB, expected at least 15" in text
    assert text.endswith("Raise --memory, or leave them out: --no-feedback-for ffn.down.")
    assert list(tmp_path.iterdir()) == []


def test_a_unit_that_does_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_need, "_unit_bytes", lambda unit, tokens, feedback: 50 * MB)
    with pytest.raises(UsageError, match=r"measuring '.*' does not fit the cap on memory: found --memory of 130 MB"):
        fourcc.measure(MODEL, TEXT, options="Q8_0", tokens=20, tokenizer=TOKENIZER, memory=130 * MB)


def test_measuring_under_a_cap_gives_the_same_costs() -> None:
    """With layers in turn, and no probabilities kept."""
    asked = {"options": "Q4_0,Q8_0", "tokens": 60, "tokenizer": TOKENIZER}
    wanted = fourcc.measure(MODEL, TEXT, **asked)  # type: ignore[arg-type]  # of many kinds
    found = fourcc.measure(MODEL, TEXT, memory=104 * MB, **asked)  # type: ignore[arg-type]  # likewise
    assert found.dumps() == wanted.dumps()
