"""Exported models run by llama.cpp: where the package llama-cpp-python is installed."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import fourcc
from tests.sources.writers import Arrays, config, llama, safetensors, to_hf, written

pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def lane() -> ModuleType:
    """The script beside this file."""
    spec = importlib.util.spec_from_file_location("lane_llama_cpp", Path(__file__).with_name("llama_cpp.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_a_mixed_model(lane: ModuleType, root: Path, tmp_path: Path) -> None:
    """On float32 weights both give the same logits; on the same blocks they differ by their roundings."""
    models = root / "fourcc" / "example"
    found = lane.compare(tmp_path, models / "tiny.bin", models / "tiny_tokenizer.bin")
    assert {"F16", "F32", "Q4_0", "Q8_0"} <= set(found.tags)
    assert found.plain < lane.PLAIN
    assert found.mixed < found.allowed < found.spread / 20
    assert found.same_first > 0.9


def test_stories(lane: ModuleType, data: Path, tmp_path: Path) -> None:
    """A model that others trained agrees, too."""
    found = lane.compare(tmp_path, data / "stories260K.bin", data / "tok512.bin")
    assert found.plain < lane.PLAIN
    assert found.mixed < found.allowed < found.spread / 20


LLAMA3 = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}
MODELS = {
    "llama": ({}, {}),
    "linear": ({"rope_scaling": {"rope_type": "linear", "factor": 4.0}}, {}),
    "llama3": ({"rope_scaling": LLAMA3}, {}),
    "biases": ({"attention_bias": True}, {"q_proj.bias": 64, "k_proj.bias": 32, "v_proj.bias": 32, "o_proj.bias": 64}),
    "qwen2": ({"model_type": "qwen2"}, {"q_proj.bias": 64, "k_proj.bias": 32, "v_proj.bias": 32}),
    "qwen3": ({"model_type": "qwen3"}, {"q_norm.weight": 16, "k_norm.weight": 16}),
}


def with_vectors(files: Arrays, vectors: dict[str, int]) -> Arrays:
    """The tensors of a model, with some vectors in each layer's attention."""
    rng = np.random.default_rng(9)
    more = {
        f"model.layers.{layer}.self_attn.{name}": (rng.standard_normal(size) / 3 + 1).astype("<f4")
        for layer in range(2)
        for name, size in vectors.items()
    }
    return files | more


@pytest.mark.parametrize("name", MODELS)
def test_architectures(lane: ModuleType, tmp_path: Path, name: str) -> None:
    """Random weights in Hugging Face's layout: names, order of rows, biases, norms and scaled rotations."""
    changes, vectors = MODELS[name]
    h, tensors = llama(dim=64, hidden=96, heads=4, kv_heads=2, vocab=40, seq=64, shared=False)
    tensors = {key: array / (8 if array.ndim == 2 else 1) for key, array in tensors.items()}
    written(tmp_path, "model.safetensors", safetensors(with_vectors(to_hf(h, tensors), vectors)))
    written(tmp_path, "config.json", config(h, tied=False, head_dim=16, **changes))
    lane.export(tmp_path, tmp_path / "out.gguf")
    fourcc.convert(tmp_path / "model.safetensors", tmp_path / "model.bin")
    tokens = np.random.default_rng(1).integers(3, 40, 48).tolist()
    mine, theirs = lane.ours(tmp_path / "model.bin", tokens), lane.theirs(tmp_path / "out.gguf", tokens)
    assert mine.std() > 0.1
    assert lane.rms(mine, theirs) < 1e-4 * mine.std()
