"""Predicted damage against measured damage: within a matrix it is proportional to the output error."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fourcc.calibration.costs import Costs
from fourcc.calibration.measure import measure
from tests.conftest import ROOT

FOLDER = ROOT / "fourcc" / "example"


def damages(costs: Costs, tag: str) -> dict[str, float]:
    """The damage of a format in each unit but the embedding, which is always measured."""
    found = {
        unit.name: option.kld
        for unit in costs.units
        for option in unit.options
        if str(option.tag) == tag and "embedding" not in unit.roles
    }
    return {name: kld for name, kld in found.items() if kld is not None}


def compared(model: Path, text: Path, tags: str, against: str, **settings: Any) -> tuple[float, float]:
    """Correlation of logarithms, and mean ratio, of predicted and measured damage of a format."""
    settings = {"options": tags, **settings}
    predicted, truth = (damages(measure(model, text, **settings, direct=direct), against) for direct in (False, True))
    assert predicted.keys() == truth.keys()
    assert predicted != truth
    pairs = np.log([[predicted[name], truth[name]] for name in truth])
    return float(np.corrcoef(pairs.T)[0, 1]), float(np.exp(np.mean(pairs[:, 0] - pairs[:, 1])))


@pytest.mark.thorough
def test_on_the_shipped_model() -> None:
    """Both formats have 4.5 bits; one spreads its levels evenly, the other as a normal distribution lies."""
    tokenizer = FOLDER / "tiny_tokenizer.bin"
    correlation, ratio = compared(
        FOLDER / "tiny.bin", FOLDER / "heldout.txt", "Q4_0,NF4", "NF4", tokenizer=tokenizer, tokens=1000
    )
    assert correlation > 0.98
    assert 0.9 < ratio < 1.1


@pytest.mark.thorough
@pytest.mark.parametrize("tag", ["Q2_K", "Q4_K"])
def test_on_a_model_that_was_trained_for_longer(data: Path, tag: str) -> None:
    """From 3.4 bits to 2.6 and to 4.5."""
    correlation, ratio = compared(
        data / "tales5M.bin",
        data / "tinystories_val_1k.txt",
        f"Q3_K,{tag}",
        tag,
        tokenizer=data / "tok512.bin",
        tokens=1000,
        documents=True,
    )
    assert correlation > 0.98
    assert 0.9 < ratio < 1.1
