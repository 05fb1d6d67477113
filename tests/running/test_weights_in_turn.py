"""Weights that are loaded in turn give the same bits, and are let go of."""

from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc.models.model import Model
from fourcc.models.staged import StagedNetwork
from fourcc.models.weights_in_turn import NetworkInTurn, WeightsInTurn
from tests.conftest import ROOT

FOLDER = ROOT / "fourcc" / "example"
TOKENS = [1, 5, 9, 200, 3, 77, 12]


@pytest.fixture(scope="module", params=["F32", "Q8_0,F16", "IQ4X,F32"])
def path(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped model: stored as kernels take it, packed as copies, decoded."""
    out = tmp_path_factory.mktemp("turn") / "model.bin"
    fourcc.convert(FOLDER / "tiny.bin", out, policy=fourcc.Policy.shorthand(request.param))
    return out


def test_every_stage_gives_the_same_bits(path: Path) -> None:
    with Model(path) as model:
        whole, turned = StagedNetwork(model.network(32, 1)), StagedNetwork(NetworkInTurn(model, 32, 1))
        states, found = whole.embed(TOKENS), turned.embed(TOKENS)
        for number in range(whole.layers + 1):
            np.testing.assert_array_equal(found, states)
            assert turned.inputs_of(number) == whole.inputs_of(number)
            if number < whole.layers:
                states, found = whole.layer(number, states), turned.layer(number, found)
        np.testing.assert_array_equal(turned.logits(found), whole.logits(states))
        np.testing.assert_array_equal(turned.embed(TOKENS), whole.embed(TOKENS))


def test_one_stage_is_held_at_a_time(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Model(path) as model:
        gone: list[str] = []
        monkeypatch.setattr(model, "let_go", gone.append)
        turned = StagedNetwork(NetworkInTurn(model, 32, 1))
        states = turned.embed(TOKENS)
        gone.clear()
        states = turned.layer(0, states)
        assert "tok_embeddings" in gone
        gone.clear()
        turned.layer(1, states)
        assert {name for name in gone if name.startswith("layers.")} == {
            name for name in model if name.startswith("layers.0.")
        } | {name for name in gone if name.startswith("layers.1.")}
        weights = turned._weights
        assert isinstance(weights, WeightsInTurn)
        assert list(weights._held) == ["layer 1"]
