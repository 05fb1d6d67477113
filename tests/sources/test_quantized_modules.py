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

from fourcc.sources import open_source
from tests.sources.writers import framed, written

STORED = json.loads((Path(__file__).parents[1] / "vectors" / "quantized_modules.json").read_text())
WITHOUT_MINUS_ZERO = {"mxfp4"}  # ggml's format reads E2M1's -0 as 0
DTYPES = {"BF16": np.dtype(ml_dtypes.bfloat16), "F32": np.dtype("<f4")}


def folder(path: Path, case: dict[str, Any]) -> Path:
    """A folder that holds the module alone."""
    header, payload = {}, b""
    for ending, tensor in case["tensors"].items():
        data = base64.b64decode(tensor["data"])
        offsets = [len(payload), len(payload) + len(data)]
        header[f"proj.{ending}"] = {"dtype": tensor["dtype"], "shape": tensor["shape"], "data_offsets": offsets}
        payload += data
    written(path, "model.safetensors", framed(json.dumps(header).encode(), payload))
    written(path, "config.json", {"model_type": "other", "quantization_config": case["quantization_config"]})
    return path


@pytest.mark.parametrize("name", STORED["cases"])
def test_weights_are_those_of_the_package(tmp_path: Path, name: str) -> None:
    """Bit for bit, once they are rounded to the dtype in which the package computes."""
    case = STORED["cases"][name]
    dtype = DTYPES[case["weight"]["dtype"]]
    expected = np.frombuffer(base64.b64decode(case["weight"]["data"]), dtype).reshape(case["weight"]["shape"])
    with open_source(folder(tmp_path, case)) as source:
        (tensor,) = source.tensors
        weights = tensor.decode()
    assert tensor.name == "proj.weight"
    assert weights.dtype == np.float32
    expected = expected + np.zeros((), dtype) if name in WITHOUT_MINUS_ZERO else expected
    bits = f"u{dtype.itemsize}"
    np.testing.assert_array_equal(weights.astype(dtype).view(bits), expected.view(bits))
