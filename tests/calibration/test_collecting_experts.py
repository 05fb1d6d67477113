"""Statistics of experts: each sees the activations that its router sends it, as a slow truth routes them."""

from pathlib import Path

import numpy as np
import pytest

from fourcc.bench.models.making import write_model
from fourcc.bench.models.shapes import SHAPES
from fourcc.calibration.asked_options import asked_options
from fourcc.calibration.calibration import Calibration, CalibrationText
from fourcc.calibration.collecting import collect
from fourcc.calibration.collecting_plan import Work
from fourcc.calibration.imatrix import ggml_name, own_name
from fourcc.calibration.layout import About
from fourcc.calibration.reading import open_calibration
from fourcc.calibration.units import planned_units
from fourcc.encoding import encode
from fourcc.models.architecture import Architecture
from fourcc.models.staged import StagedNetwork
from fourcc.models.transformer import Transformer
from fourcc.models.windows import Window
from fourcc.networks import NETWORKS
from fourcc.sources import open_source
from tests.running import made_networks

WINDOWS = (Window((1, 2, 3, 4, 5, 6) * 3), Window((6, 5, 4)))
TOKENS = sum(len(window.tokens) for window in WINDOWS)
AT = "layers.0.feed_forward."


def made(name: str) -> tuple[Transformer, made_networks.Arrays]:
    """A network whose first layer has experts, and its tensors."""
    network = NETWORKS[name]
    hyper = made_networks.honest(network)
    arrays = made_networks.tensors(network, hyper)
    find = {name: encode(array, "F32") for name, array in arrays.items()}.get
    return Transformer(Architecture.of(network.name, hyper), find, threads=1), arrays


def collected(
    at: Path, network: Transformer, *, hessian: bool = False, merged: Calibration | None = None
) -> Calibration:
    """A calibration."""
    texts = (CalibrationText("a.txt", "0" * 64),) * (1 if merged is None else 2)
    about = About("12" * 16, texts, TOKENS * len(texts), 18)
    collect(network, Work(about, WINDOWS, hessian, merged), at)
    return open_calibration(at)


def router_inputs(network: Transformer) -> np.ndarray:
    """The activations of the first layer's router in all windows, float32 (tokens, dim)."""
    staged, seen = StagedNetwork(network), []

    def observe(names: tuple[str, ...], x: np.ndarray, *_: int) -> None:
        if names == (f"{AT}router",):
            seen.append(x.copy())

    for window in WINDOWS:
        staged.layer(0, staged.embed(window.tokens), observe=observe)
    return np.concatenate(seen)


@pytest.mark.parametrize("name", ["qwen2_moe", "mixtral"])
def test_each_expert_has_its_own(tmp_path: Path, name: str) -> None:
    """Counts, squares and ranges of what goes into an expert, and of what its gate gives."""
    network, arrays = made(name)
    found, x = collected(tmp_path / "a.calib", network).statistics, router_inputs(network).astype(float)
    scores, used = x @ arrays[f"{AT}router"].T.astype(float), int(str(made_networks.SIZES["n_experts_used"]))
    chosen = np.argsort(-scores, axis=1, kind="stable")[:, :used]
    into, inside = found[f"{AT}experts.w1"], found[f"{AT}experts.w2"]
    for expert in range(scores.shape[1]):
        own = x[(chosen == expert).any(axis=1)]
        gate, up = (own @ arrays[f"{AT}experts.{matrix}"][expert].T.astype(float) for matrix in ("w1", "w3"))
        hidden = gate / (1 + np.exp(-gate)) * up
        assert into.counts[expert] == inside.counts[expert] == len(own)
        np.testing.assert_allclose(into.squares[expert], (own**2).sum(0), rtol=1e-6)
        np.testing.assert_allclose(inside.squares[expert], (hidden**2).sum(0), rtol=1e-3, atol=1e-6)
        if len(own):
            assert into.minimum is not None
            np.testing.assert_array_equal(into.minimum[expert], own.min(0).astype(np.float32))
    assert into.counts.sum() == used * TOKENS
    assert found[f"{AT}experts.w3"].squares.tobytes() == into.squares.tobytes()


def test_two_calibrations_are_added_expert_by_expert(tmp_path: Path) -> None:
    network, _ = made("mixtral")
    one = collected(tmp_path / "a.calib", network)
    both = collected(tmp_path / "b.calib", network, merged=one)
    for name, statistics in one.statistics.items():
        assert (both.statistics[name].squares == 2 * statistics.squares).all()
        assert (both.statistics[name].counts == 2 * statistics.counts).all()


def test_stacks_have_no_hessian(tmp_path: Path) -> None:
    """Each expert would need one of its own: there are as many numbers as in all weights, times columns by rows."""
    network, _ = made("mixtral")
    found = collected(tmp_path / "a.calib", network, hessian=True)
    assert found.hessian(f"{AT}router") is not None
    assert found.hessian(f"{AT}experts.w1") is None


def test_names_of_experts_in_files_of_llama_cpp(tmp_path: Path) -> None:
    """A model of an unknown architecture keeps ggml's names, and finds its statistics by them."""
    ours, theirs = f"{AT}experts.w1", "blk.0.ffn_gate_exps.weight"
    found = collected(tmp_path / "a.calib", made("mixtral")[0])
    assert found.of(theirs) is found.statistics[ours]
    assert ggml_name(ours) == theirs
    assert own_name(theirs) == ours


def test_a_measurement_says_that_it_passes_over_stacks(tmp_path: Path) -> None:
    with open_source(write_model(tmp_path / "model.bin", SHAPES["tiny-moe"], "F32", 16)) as source:
        planned = planned_units(source, asked_options("Q8_0"))
    stacks = [tensor for tensor in planned.fixed if "experts" in tensor.name]
    assert len(stacks) == 6
    start = "stacks of experts are not measured, and stay as they are stored: layers.0.feed_forward.experts.w1"
    assert [note for note in planned.notes if note.startswith(start)]
