"""Matrices of compressed-tensors, read as it reads them, and DeepSeek's FP8, as transformers does.

Both have computed the stored weights: ``tests/lanes/quantized_modules.py``.
"""

import base64
import json
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fourcc
from fourcc.sources import open_source
from tests.sources.writers import framed, written

STORED = json.loads((Path(__file__).parents[1] / "vectors" / "quantized_modules.json").read_text())
WITHOUT_MINUS_ZERO = {"mxfp4"}  # ggml's format reads E2M1's -0 as 0
DTYPES = {"BF16": np.dtype(ml_dtypes.bfloat16), "F32": np.dtype("<f4")}


def array(tensor: dict[str, Any]) -> np.ndarray:
    """A stored tensor of floats."""
    return np.frombuffer(base64.b64decode(tensor["data"]), DTYPES[tensor["dtype"]]).reshape(tensor["shape"])


def folder(path: Path, case: dict[str, Any]) -> Path:
    """A folder that holds the module alone."""
    tensors = {f"proj.{ending}": tensor for ending, tensor in case["tensors"].items()}
    return saved(path, tensors, {"model_type": "other", "quantization_config": case["quantization_config"]})


def saved(path: Path, tensors: dict[str, Any], config: dict[str, Any]) -> Path:
    """A folder of these tensors and config."""
    header, payload = {}, b""
    for name, tensor in tensors.items():
        data = base64.b64decode(tensor["data"])
        offsets = [len(payload), len(payload) + len(data)]
        header[name] = {"dtype": tensor["dtype"], "shape": tensor["shape"], "data_offsets": offsets}
        payload += data
    written(path, "model.safetensors", framed(json.dumps(header).encode(), payload))
    written(path, "config.json", config)
    return path


@pytest.mark.parametrize("name", STORED["cases"])
def test_weights_are_those_of_the_package(tmp_path: Path, name: str) -> None:
    """Bit for bit, once they are rounded to the dtype in which the package computes."""
    case = STORED["cases"][name]
    expected = array(case["weight"])
    dtype = expected.dtype
    with open_source(folder(tmp_path, case)) as source:
        (tensor,) = source.tensors
        weights = tensor.decode()
    assert tensor.name == "proj.weight"
    assert weights.dtype == np.float32
    expected = expected + np.zeros((), dtype) if name in WITHOUT_MINUS_ZERO else expected
    bits = f"u{dtype.itemsize}"
    np.testing.assert_array_equal(weights.astype(dtype).view(bits), expected.view(bits))


def test_a_model_computes_what_transformers_computes(tmp_path: Path) -> None:
    """A Llama in FP8: kept as it is, its logits are those of the weights that transformers dequantizes."""
    model = STORED["model"]
    path = saved(tmp_path, model["tensors"], model["config"])
    fourcc.convert(path, tmp_path / "model.bin")
    with fourcc.open(tmp_path / "model.bin") as converted:
        assert {str(converted[f"layers.0.attention.{name}"].tag) for name in ("wq", "wk", "wv", "wo")} == {"F8_G"}
        found = converted.network(threads=1).forward(model["tokens"], every=True).astype(np.float64)
    wanted = array(model["logits"]).astype(np.float64)
    p, q = (logs - np.log(np.exp(logs).sum(1, keepdims=True)) for logs in (wanted, found))
    assert float((np.exp(p) * (p - q)).sum(1).max()) < 1e-9
