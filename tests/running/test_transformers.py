"""Logits beside those that transformers gave for the same files: a token's, a prompt's, in float32."""

import base64
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc.models.transformer import Transformer
from tests.running.oracle_cases import CASES, PLACES, TOKENS, weights
from tests.sources.writers import safetensors, written


@cache
def stored(name: str) -> np.ndarray:
    """The logits that transformers gave, float64 (places, vocabulary)."""
    path = Path(__file__).parents[1] / "vectors" / "transformers.json"
    data = base64.b64decode(json.loads(path.read_text())["logits"][name])
    return np.frombuffer(data, "<f4").reshape(len(PLACES), -1).astype(np.float64)


def network(name: str, folder: Path, **changes: object) -> Transformer:
    """The case's folder, converted and ready to run; keys that become None are left out."""
    written(folder, "model.safetensors", safetensors(weights(name)))
    written(folder, "config.json", {**CASES[name], **changes})
    fourcc.convert(folder, folder / "model.bin")
    return fourcc.open(folder / "model.bin").network(threads=1)


def divergence(wanted: np.ndarray, found: np.ndarray) -> float:
    """The largest KL divergence of a row of logits from another."""
    p, q = (logs - np.log(np.exp(logs).sum(1, keepdims=True)) for logs in (wanted, found.astype(np.float64)))
    return float((np.exp(p) * (p - q)).sum(1).max())


@pytest.mark.parametrize("name", CASES)
def test_as_transformers(tmp_path: Path, name: str) -> None:
    """Logits agree for a prompt at once, and token by token."""
    ours = network(name, tmp_path)
    at_once = ours.forward(TOKENS, every=True)[list(PLACES)]
    assert divergence(stored(name), at_once) < 1e-9
    ours.reset()
    one_by_one = np.concatenate([ours.forward([token]).copy() for token in TOKENS])[list(PLACES)]
    assert divergence(stored(name), one_by_one) < 1e-9


NO_WINDOW = {"sliding_window": None, "use_sliding_window": False, "layer_types": None}


@pytest.mark.parametrize("name", [name for name in CASES if "window 8" in name or "window 40" in name])
def test_without_its_window_a_model_is_another(tmp_path: Path, name: str) -> None:
    """It differs by far more than the tolerance, so the tests above are not idle."""
    found = network(name, tmp_path, **NO_WINDOW).forward(TOKENS, every=True)[list(PLACES)]
    assert divergence(stored(name), found) > 0.001
