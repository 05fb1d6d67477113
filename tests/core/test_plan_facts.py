"""The facts that a conversion's bytes depend on: what changes them, and what does not."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fourcc.conversion.plan import plan
from fourcc.conversion.plan_facts import plan_facts
from fourcc.files.facts import differences
from fourcc.format import Aids
from fourcc.policy import Policy
from fourcc.sources import open_source


@pytest.fixture
def model(root: Path, tmp_path: Path) -> Path:
    """The shipped model, in a folder of its own."""
    return Path(shutil.copy2(root / "fourcc" / "example" / "tiny.bin", tmp_path / "tiny.bin"))


def facts(path: Path, formats: str = "Q8_0,F16", **more: Any) -> dict[str, Any]:
    """The facts of a conversion."""
    with open_source(path) as source:
        return plan_facts(plan(source, Policy.shorthand(formats), **more))


def names(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The facts that differ."""
    return [each.name for each in differences(one, other)]


def test_the_same_plan_has_the_same_facts(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whatever path the file is named, and in whatever folder it lies; JSON holds them as they are."""
    found = facts(model)
    assert json.loads(json.dumps(found)) == found
    monkeypatch.chdir(model.parent)
    (model.parent / "a").mkdir()
    assert facts(Path("tiny.bin")) == found
    assert facts(Path(shutil.copy2(model, model.parent / "a" / "tiny.bin"))) == found


def test_the_file(model: Path) -> None:
    """Another time of change, or another length."""
    found = facts(model)
    os.utime(model, (0, 0))
    (changed,) = differences(found, facts(model))
    assert changed.name == "source tiny.bin changed"
    assert changed.expected == "'1970-01-01T00:00:00.000000000Z'"


def test_the_plan(model: Path) -> None:
    """The policy's text, the tensors that are taken, and each tensor's format."""
    found = facts(model)
    differing = names(found, facts(model, "Q4_0,F16"))
    assert differing[0].startswith("policy line")
    assert "tensor layers.0.attention.wq format" in differing
    fewer = names(found, facts(model, exclude=["layers.0.attention.wq"]))
    assert "tensor layers.0.attention.wq" in fewer


def test_calibration_data(model: Path) -> None:
    """Other importance, and another Hessian, by its diagonal."""
    name = "layers.0.attention.wq"
    with open_source(model) as source:
        columns = source.tensor(name).shape[-1]
    hessian = np.eye(columns, dtype=np.float32)
    importance = np.ones(columns, np.float32)
    plain = facts(model, "Q4_K,F16", aids={name: Aids(importance, hessian)}, feedback="gptq")
    assert f"tensor {name} error feedback" in names(facts(model, "Q4_K,F16"), plain)
    for aids in (Aids(2 * importance, hessian), Aids(importance, 2 * hessian)):
        other = facts(model, "Q4_K,F16", aids={name: aids}, feedback="gptq")
        assert names(plain, other) == [f"tensor {name} calibration"]


def test_versions(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Versions of fourcc, and of the packages whose formats are used."""
    found = facts(model)
    monkeypatch.setattr("fourcc.__version__", "99")
    (version,) = differences(found, facts(model))
    assert (version.name, version.expected) == ("version of fourcc", "'99'")
