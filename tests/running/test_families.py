"""Logits of every family beside those that transformers gave for the same files: a prompt at once, token by token."""

from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc.models.transformer import Transformer
from fourcc.networks import CLASSES
from fourcc.policy import Policy
from tests.running import family_oracle
from tests.running.family_cases import CASES, PLACES, TOKENS
from tests.sources.writers import safetensors, written

OFF = 1e-5  # of the logits' size: what sums in another order may change
RUN = [name for name, config in CASES.items() if config.get("text_config", config)["model_type"] in CLASSES]


def network(name: str, folder: Path) -> Transformer:
    """The case's folder, converted and ready to run; longrope's factors depend on the room that it is given."""
    written(folder, "model.safetensors", safetensors(family_oracle.tensors(name)))
    written(folder, "config.json", CASES[name])
    blocks = Policy.shorthand("F32") if "quantization_config" in CASES[name] else None  # products of blocks round
    fourcc.convert(folder, folder / "model.bin", policy=blocks)
    return fourcc.open(folder / "model.bin").network(context=len(TOKENS), threads=1)


def off(name: str, found: np.ndarray, places: list[int]) -> float:
    """The largest difference of logits, as a part of the largest logit."""
    wanted = family_oracle.logits(name)[: len(places)]
    return float(np.abs(found[places] - wanted).max() / np.abs(wanted).max())


@pytest.mark.parametrize("name", RUN)
def test_as_transformers(tmp_path: Path, name: str) -> None:
    ours = network(name, tmp_path)
    tokens = TOKENS[: ours.context]
    places = [place for place in PLACES if place < len(tokens)]
    at_once = ours.forward(tokens, every=True)
    assert off(name, at_once, places) < OFF
    ours.reset()
    assert off(name, np.concatenate([ours.forward([token]).copy() for token in tokens]), places) < OFF


def test_room_beyond_the_length(tmp_path: Path) -> None:
    """Only a rotation that grows with the room has more than the model's length: `factor` times as much."""
    network("llama, dynamic, past its length", tmp_path)
    with fourcc.open(tmp_path / "model.bin") as model:
        assert model.hyper["seq_len"] == 64
        assert model.network(threads=1).context == 64
        assert model.network(10**6, threads=1).context == 256
    (tmp_path / "model.bin").unlink()
    network("llama, yarn", tmp_path)
    with fourcc.open(tmp_path / "model.bin") as model:
        assert model.network(10**6, threads=1).context == model.hyper["seq_len"] == 256
