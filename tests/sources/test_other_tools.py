"""Matrices of MLX and bitsandbytes, read as each reads them; ``tests/lanes/other_tools.py`` stored their weights."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fourcc
from fourcc.errors import SourceError
from fourcc.sources import open_source
from tests.sources.writers import framed, written

STORED = json.loads((Path(__file__).parents[1] / "vectors" / "other_tools.json").read_text())["cases"]
WITHOUT_MINUS_ZERO = {"mlx mxfp4"}  # ggml's format reads E2M1's -0 as 0


def folder(path: Path, case: dict[str, Any], *, name: str = "proj", **changes: Any) -> Path:
    """A folder that holds the module alone, with some of its tensors changed or, by None, left out."""
    header, payload = {}, b""
    for ending, tensor in {**case["tensors"], **changes}.items():
        if tensor is None:
            continue
        data = base64.b64decode(tensor["data"])
        offsets = [len(payload), len(payload) + len(data)]
        header[f"{name}.{ending}"] = {"dtype": tensor["dtype"], "shape": tensor["shape"], "data_offsets": offsets}
        payload += data
    written(path, "model.safetensors", framed(json.dumps(header).encode(), payload))
    written(path, "config.json", {"model_type": "other", **case["config"]})
    return path


def weights(case: dict[str, Any]) -> np.ndarray:
    """The weights as the tool decodes them."""
    stored = case["weight"]
    return np.frombuffer(base64.b64decode(stored["data"]), "<f4").reshape(stored["shape"])


@pytest.mark.parametrize("name", STORED)
def test_weights_are_those_of_the_tool(tmp_path: Path, name: str) -> None:
    """Bit for bit."""
    case = STORED[name]
    with open_source(folder(tmp_path, case)) as source:
        (tensor,) = source.tensors
        found = tensor.decode()
        part = tensor.read(0, 1, 3)
    assert tensor.name == "proj.weight"
    assert all(len(each) == 2 for part_name, each in part.items() if part_name != "second")
    expected = weights(case) + np.float32(0) if name in WITHOUT_MINUS_ZERO else weights(case)
    np.testing.assert_array_equal(found.view(np.int32), expected.view(np.int32))


TAGS = {
    "mlx 2 bits, groups of 64": "Q4_L",
    "mlx 6 bits, groups of 32": "Q8_L",
    "mlx mxfp4": "MXF4",
    "mlx nvfp4": "NV4T",
    "bitsandbytes nf4, blocks of 64, nested": "NF4",
    "bitsandbytes fp4, blocks of 128": "FP4",
    "bitsandbytes int8": "Q8_R",
}


@pytest.mark.parametrize("name", TAGS)
def test_they_are_kept_and_encoded_anew(tmp_path: Path, name: str) -> None:
    path = folder(tmp_path, STORED[name])
    fourcc.convert(path, tmp_path / "kept.bin")
    fourcc.convert(path, tmp_path / "anew.bin", format="Q8_0")
    with fourcc.open(tmp_path / "kept.bin") as kept, fourcc.open(tmp_path / "anew.bin") as anew:
        assert str(kept["proj.weight"].tag) == TAGS[name]
        np.testing.assert_array_equal(kept["proj.weight"].decode(), weights(STORED[name]))
        assert str(anew["proj.weight"].tag) == "Q8_0"


AFFINE, NF4 = STORED["mlx 4 bits, groups of 64"], STORED["bitsandbytes nf4, blocks of 64"]


def test_modules_of_mlx_have_settings_of_their_own(tmp_path: Path) -> None:
    """A module that the config names has its bits and group size, and one that is false is plain."""
    own = STORED["mlx 6 bits, groups of 32"]
    said = {"group_size": 64, "bits": 4, "proj": {"bits": 6, "group_size": 32}}
    with open_source(folder(tmp_path, own | {"config": {"quantization": said}})) as source:
        np.testing.assert_array_equal(source.tensors[0].decode(), weights(own))
    path = folder(tmp_path, own | {"config": {"quantization": {"group_size": 64, "bits": 4, "proj": False}}})
    with pytest.raises(
        SourceError, match="the matrix is quantized, and the config names it nowhere, or as one that is not"
    ):
        open_source(path)


def test_two_maps_of_mlx_must_agree(tmp_path: Path) -> None:
    """mlx-lm writes both; a `quantization_config` of another tool, from before, is none of MLX's."""
    said = AFFINE["config"]["quantization"]
    both = {"quantization": said, "quantization_config": said}
    with open_source(folder(tmp_path, AFFINE | {"config": both})) as source:
        assert [str(tensor.tag) for tensor in source.tensors] == ["Q4_L"]
    both = {"quantization": said, "quantization_config": said | {"bits": 8}}
    with pytest.raises(SourceError, match="'quantization' and 'quantization_config' state two quantizations"):
        open_source(folder(tmp_path, AFFINE | {"config": both}))


@pytest.mark.parametrize(
    ("case", "changes", "message"),
    [
        (AFFINE, {"biases": None}, "the matrix is not complete: there is no proj.biases"),
        (AFFINE, {"scales": AFFINE["weight"]}, "scales do not fit the weights"),
        (AFFINE, {"weight": AFFINE["weight"]}, "weight holds another kind of numbers"),
        (NF4, {"weight.absmax": None}, "the matrix is not complete: there is no proj.weight.absmax"),
        (NF4, {"weight.quant_map": NF4["tensors"]["weight.absmax"]}, "quant_map has other levels"),
    ],
)
def test_parts_that_do_not_go_together(
    tmp_path: Path, case: dict[str, Any], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(SourceError, match=message):
        open_source(folder(tmp_path, case, **changes))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"quant_type": "nf4", "blocksize": 64, "shape": [8, 64]}, ""),
        ({"quant_type": "nf4", "blocksize": 64, "shape": [16, 32]}, "blocks run across the ends of rows"),
        ({"quant_type": "nf4", "blocksize": 64, "shape": [4, 64]}, "the codes do not fit the shape"),
        ({"quant_type": "nf4", "blocksize": 128, "shape": [4, 128]}, "absmax has no entry for each block"),
        ({"quant_type": "fp4", "blocksize": 64, "shape": [4, 128]}, "the quantization state is not that of a matrix"),
        ({"quant_type": "nf4", "blocksize": 64, "shape": 8}, "the quantization state is not that of a matrix"),
    ],
)
def test_states_that_cannot_be_true(tmp_path: Path, said: dict[str, Any], message: str) -> None:
    data = json.dumps(said).encode()
    state = {"dtype": "U8", "shape": [len(data)], "data": base64.b64encode(data).decode()}
    path = folder(tmp_path, NF4, **{"weight.quant_state.bitsandbytes__nf4": state})
    if not message:
        with open_source(path) as source:
            np.testing.assert_array_equal(source.tensors[0].decode(), weights(NF4).reshape(8, 64))
        return
    with pytest.raises(SourceError, match=message):
        open_source(path)


def test_codes_in_the_order_of_another_processor_are_refused(tmp_path: Path) -> None:
    order = {"dtype": "U8", "shape": [], "data": base64.b64encode(bytes([2])).decode()}
    with pytest.raises(SourceError, match="the codes are in the order of another processor"):
        open_source(folder(tmp_path, STORED["bitsandbytes int8"], weight_format=order))
