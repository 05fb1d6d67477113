"""Real checkpoints from end to end; skipped where FOURCC_DATA names no folder of them."""

from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc.policy import Policy
from fourcc.sources.source import SourceTensor
from fourcc.tiles import tiles

MIXED = """
version = 1
[[rule]]
role = "norm"
tag = "F32"
[[rule]]
role = "attention.*"
tag = "Q8_A"
[[rule]]
role = "ffn.down"
tag = "Q8_B"
[[rule]]
role = "ffn.*"
tag = "Q4_A"
[[rule]]
role = "embedding"
tag = "Q8_B"
"""


def weights(tensor: SourceTensor) -> np.ndarray:  # type: ignore[type-arg]
    """A source's tensor, decoded tile by tile."""
    return np.concatenate([tile.decode() for tile in tiles(tensor)]).reshape(tensor.shape)


def test_a_mixed_policy_on_a_trained_model(data: Path, tmp_path: Path) -> None:
    """Each kind of matrix in its format, short last blocks and all; the errors are those of 8 and of 4 bits."""
    source, output = data / "stories260K.bin", tmp_path / "model.bin"
    fourcc.convert(source, output, policy=Policy.parse(MIXED), tokenizer=data / "tok512.bin")
    assert fourcc.verify(output) == ()
    with fourcc.open(output) as model:
        assert model.blob("tokenizer.bin") == (data / "tok512.bin").read_bytes()
        tags = {name: str(model.record(name).tag) for name in model}
        assert {tags[f"layers.{k}.attention.w{m}"] for k in range(5) for m in "qkvo"} == {"Q8_A"}
        assert {tags[f"layers.{k}.feed_forward.w2"] for k in range(5)} == {"Q8_B"}
        assert {tags[f"layers.{k}.feed_forward.w{m}"] for k in range(5) for m in "13"} == {"Q4_A"}
        assert {tags[name] for name in tags if name.endswith("norm")} == {"F32"}
        for name in model:
            error = model.record(name).error
            expected = {"Q8_A": 40, "Q8_B": 40, "Q4_A": 20}
            assert error is None or error.sqnr_db > expected[tags[name]]


@pytest.mark.parametrize(
    "name", ["stories260K.bin", "stories260K_v1.bin", "stories260K.gguf", "devstral_slice/model.safetensors.index.json"]
)
def test_kept_tensors_are_those_of_the_source(data: Path, tmp_path: Path, name: str) -> None:
    """Without a policy every decoded weight has the source's bits."""
    fourcc.convert(data / name, tmp_path / "model.bin")
    assert fourcc.verify(tmp_path / "model.bin") == ()
    with fourcc.open(tmp_path / "model.bin") as model, fourcc.open(data / name) as source:
        assert list(model) == [tensor.name for tensor in source.tensors]
        for tensor in source.tensors:
            assert model[tensor.name].decode().tobytes() == weights(tensor).tobytes()


def test_three_files_of_one_model_hold_the_same_weights(data: Path) -> None:
    """The files are llama2.c v0 and v1, and GGUF."""
    models = []
    for name in ("stories260K.bin", "stories260K_v1.bin", "stories260K.gguf"):
        with fourcc.open(data / name) as source:
            models.append({tensor.name: weights(tensor) for tensor in source.tensors})
    first, second, third = models
    assert set(first) == set(second) == set(third) - {"output"}
    for name, expected in first.items():
        np.testing.assert_array_equal(second[name], expected)
        np.testing.assert_array_equal(third[name], expected)
