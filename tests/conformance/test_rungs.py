"""The three rungs of speed: one layout, three formats, the same bytes, weights and, within rounding, products."""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fourcc import compute, encode
from fourcc.format import Format
from fourcc.testing import Trial, trials
from fourcc.testing.products import float_bound
from tests.core.fakes import installed

PLUGIN = Path(__file__).resolve().parents[1] / "plugins" / "fourcc-rungs"
sys.path.insert(0, str(PLUGIN))

from fourcc_rungs.block_decoder import RNG2  # noqa: E402 - it is no package of ours that is installed
from fourcc_rungs.native import RNG3  # noqa: E402 - after the path is set
from fourcc_rungs.numpy_only import RNG1  # noqa: E402 - after the path is set

RUNGS = {"decode": RNG1, "fused": RNG2, "native": RNG3}


@pytest.fixture(autouse=True, scope="module")
def on_the_path() -> Iterator[None]:
    """Until the module's tests are done; processes that they start find the plugin, too."""
    yield
    sys.path.remove(str(PLUGIN))


def every_trial() -> list[Trial]:
    """Every check of every rung."""
    return [trial for rung in RUNGS.values() for trial in trials(rung) if trial.check.name != "stored bytes"]


@pytest.mark.thorough
@pytest.mark.parametrize("trial", every_trial(), ids=str)
def test_conformance(trial: Trial) -> None:
    outcome = trial()
    assert not outcome.findings or trial.check.name == "idempotence", "\n\n".join(map(str, outcome.findings))


@pytest.mark.parametrize(("level", "found"), RUNGS.items(), ids=RUNGS)
def test_each_stands_on_its_rung(level: str, found: Format) -> None:
    """`fourcc formats` shows that rung."""
    assert compute.kernel_of(found).level == level


@pytest.mark.thorough
def test_all_three_agree() -> None:
    """Bytes and weights are equal; products are within the bound of float products of each other."""
    random = np.random.default_rng(3)
    w, x = random.standard_normal((37, 176), np.float32), random.standard_normal((5, 176), np.float32)
    with installed(*RUNGS.values()):
        made = [encode(w, found.tag) for found in RUNGS.values()]
        assert len({each.parts["codes"].tobytes() + each.parts["scale"].tobytes() for each in made}) == 1
        weights = made[0].decode().astype(np.float64)
        near = float_bound(weights, x.astype(np.float64))
        for each in made:
            assert (np.abs(each.matmul(x) - x.astype(np.float64) @ weights.T) <= near).all()
