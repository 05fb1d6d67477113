"""Checkpoints quantized by other tools in schemes that are not read: named, kept, and never encoded anew or run."""

import json
from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc.errors import UsageError
from fourcc.exporters import KINDS
from fourcc.exporters.export import plan_export
from fourcc.models.architecture import Architecture
from fourcc.policy import Policy
from fourcc.sources import open_source
from fourcc.sources.foreign_weights import told_by_tensors
from tests.sources.test_weight_only import save as save_weight_only
from tests.sources.writers import config, framed, llama, safetensors, to_hf, written
from tests.sources.writers_weight_only import checkpoint

SIZES = {"F8_E4M3": 1, "F8_E5M2": 1, "U8": 1, "I8": 1, "I32": 4, "U32": 4, "F32": 4, "F16": 2, "BF16": 2, "I64": 8}
MATRIX = "model.layers.0.mlp.down_proj"

Parts = dict[str, tuple[str, tuple[int, ...]]]  # ending -> dtype and shape

# Scheme -> what stands for the matrix, the config's words, and the name that messages give.
SCHEMES: dict[str, tuple[Parts, dict[str, object], str]] = {
    "fp8": (
        {".weight": ("F8_E5M2", (12, 10)), ".weight_scale_inv": ("F32", (1, 1))},
        {"quantization_config": {"quant_method": "fp8", "fmt": "e5m2", "weight_block_size": [128, 128]}},
        "fp8 (fmt e5m2)",
    ),
    "modelopt nvfp4": (
        {
            ".weight": ("U8", (12, 5)),
            ".weight_scale": ("F8_E4M3", (12, 1)),
            ".weight_scale_2": ("F32", ()),
            ".pre_quant_scale": ("F32", (10,)),
        },
        {"quantization_config": {"quant_method": "modelopt", "quant_algo": "NVFP4_AWQ"}},
        "modelopt (quant_algo NVFP4_AWQ)",
    ),
    "bitsandbytes int8": (
        {".weight": ("I8", (12, 10)), ".SCB": ("F32", (12,)), ".weight_format": ("U8", ())},
        {"quantization_config": {"load_in_8bit": False, "bnb_4bit_quant_type": "fp4"}},
        "bitsandbytes (bnb_4bit_quant_type fp4)",
    ),
    "bitsandbytes nf4": (
        {
            ".weight": ("U8", (60, 1)),
            ".weight.absmax": ("U8", (2,)),
            ".weight.quant_map": ("F32", (16,)),
            ".weight.nested_absmax": ("F32", (1,)),
        },
        {"quantization_config": {"quant_method": "bitsandbytes"}},
        "bitsandbytes",
    ),
    "mlx": (
        {".weight": ("U32", (12, 2)), ".scales": ("F16", (12, 1)), ".biases": ("F16", (12, 1))},
        {"quantization": {"group_size": 32, "bits": 8, "mode": "mxfp8"}},
        "MLX (key 'quantization')",
    ),
    "gptq dynamic": (
        {
            ".qweight": ("I32", (2, 12)),
            ".qzeros": ("I32", (1, 3)),
            ".scales": ("F16", (1, 12)),
            ".g_idx": ("I32", (10,)),
        },
        {"quantization_config": {"quant_method": "gptq", "bits": 4, "dynamic": {"+:.*down_proj": {"bits": 5}}}},
        "gptq (bits 4, 'dynamic': other settings for some modules)",
    ),
    "compressed fp8": (
        {".weight": ("F8_E4M3", (12, 10)), ".weight_scale": ("BF16", (12, 1))},
        {"compression_config": {"quant_method": "compressed-tensors", "format": "float-quantized"}},
        "compressed-tensors (format float-quantized)",
    ),
    "mxfp4": (
        {"_blocks": ("U8", (2, 4, 16)), "_scales": ("U8", (2, 4))},
        {"quantization_config": {"quant_method": "mxfp4"}},
        "mxfp4",
    ),
    "inside a text_config": (
        {".weight": ("F8_E4M3", (12, 10)), ".weight_scale_inv": ("F32", (1, 1))},
        {"text_config": {"quantization_config": {"quant_method": "fp8"}}},
        "fp8",
    ),
}
# Scheme -> the name that the tensors alone give.
SILENT = {
    "fp8": "FP8 with scales",
    "modelopt nvfp4": "NVFP4",
    "bitsandbytes int8": "bitsandbytes",
    "bitsandbytes nf4": "bitsandbytes",
    "mlx": "MLX",
    "gptq dynamic": "GPTQ or AWQ",
    "compressed fp8": "FP8 with scales",
    "mxfp4": "MXFP4",
}


def save(folder: Path, parts: Parts, said: dict[str, object] | None, model_type: str = "llama") -> Path:
    """A Llama of which one matrix is in the scheme's parts; None: there is no config at all."""
    h, tensors = llama()
    plain = {name: array for name, array in to_hf(h, tensors).items() if name != f"{MATRIX}.weight"}
    entries = {name: ("F32", array.shape, array.tobytes()) for name, array in plain.items()}
    for ending, (dtype, shape) in parts.items():
        entries[MATRIX + ending] = (dtype, shape, (bytes(range(1, 97)) * 9)[: int(np.prod(shape)) * SIZES[dtype]])
    header, payload = {}, b""
    for name, (dtype, shape, data) in entries.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(payload), len(payload) + len(data)]}
        payload += data
    written(folder, "model.safetensors", framed(json.dumps(header).encode(), payload))
    if said is not None:
        written(folder, "config.json", config(h, model_type=model_type, **said))
    return folder


KEEP = Policy.parse('version = 1\n[[rule]]\nmatch = "*"\nkeep = true\nnonfinite = "keep"\n')


@pytest.mark.parametrize("family", ["llama", "mamba"])
@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_scheme_that_the_config_states(tmp_path: Path, scheme: str, family: str) -> None:
    """The note says its name and what is done; so does the model.bin, which is neither run nor encoded anew."""
    parts, said, name = SCHEMES[scheme]
    with open_source(save(tmp_path, parts, said, family)) as source:
        assert source.hyper == {"quantization": name}
        note = f"the weights are quantized by another tool, in a scheme that is not read here: {name}. Its codes and"
        assert [each for each in source.notes if each.startswith(note)] == [source.notes[-1]]
        assert {MATRIX + ending for ending in parts} <= {tensor.name for tensor in source.tensors}
    fourcc.convert(tmp_path, tmp_path / "model.bin", policy=KEEP)
    (tmp_path / "out").mkdir()
    refused(tmp_path / "model.bin", name, tmp_path / "out")
    with fourcc.open(tmp_path / "model.bin") as model, pytest.raises(UsageError) as caught:
        Architecture.of(model.index.architecture, model.index.hyper)
    assert (
        f"cannot be run: its weights are quantized by another tool, in a scheme that is not read here: {name}"
        in str(caught.value)
    )


@pytest.mark.parametrize("said", [None, {}, {"quantization_config": {}}, {"quantization_config": None}])
@pytest.mark.parametrize("scheme", SILENT)
def test_a_scheme_that_tensors_tell(tmp_path: Path, scheme: str, said: dict[str, object] | None) -> None:
    """A config that is silent, or not there, changes nothing."""
    with open_source(save(tmp_path, SCHEMES[scheme][0], said)) as source:
        assert source.hyper == {"quantization": SILENT[scheme]}
        assert source.architecture == (None if said is None else "llama, quantized")
    (tmp_path / "out").mkdir()
    refused(tmp_path, SILENT[scheme], tmp_path / "out")


def refused(path: Path, scheme: str, folder: Path) -> None:
    """Every part of the matrix that is a number, by whatever command encodes; the rest of the model is free."""
    with open_source(path) as source:
        told = told_by_tensors(source.tensors)
        assert told is not None
        for tensor in source.tensors:
            if tensor.name not in told[1] or not tensor.format.real:
                continue
            rule = f'version = 1\n[[rule]]\nmatch = "{tensor.name}"\ntag = "F64"\n[[rule]]\nmatch = "*"\nkeep = true\n'
            with pytest.raises(UsageError) as caught:
                fourcc.convert(path, folder / "out.bin", policy=Policy.parse(rule))
            assert f"quantized ({scheme}), which is not read here, and cannot be encoded anew" in str(caught.value)
            assert tensor.name in str(caught.value)
            with pytest.raises(UsageError, match="cannot be"):
                plan_export(source, KINDS["safetensors"], Policy.parse(rule))
        with pytest.raises(UsageError, match="quantization"):
            plan_export(source, KINDS["gguf"], instead="F32")
    rule = 'version = 1\n[[rule]]\nmatch = "model.norm.weight"\ntag = "F64"\n[[rule]]\nmatch = "*"\nkeep = true\n'
    fourcc.convert(path, folder / "out.bin", policy=Policy.parse(rule + 'nonfinite = "keep"\n'))


def test_where_the_parts_do_not_show_all_is_refused(tmp_path: Path) -> None:
    """A scheme that the config names and no tensor betrays: any tensor may be a part."""
    said: dict[str, object] = {"quantization_config": {"quant_method": "hqq"}}
    save(tmp_path, {".W_q": ("U8", (12, 10)), ".meta": ("F32", (3,))}, said)
    with pytest.raises(UsageError, match=r"quantized \(hqq\), which is not read here, .*: model.embed_tokens.weight, "):
        fourcc.convert(tmp_path, tmp_path / "out.bin", policy=Policy.shorthand("Q8_0,F16"))


@pytest.mark.parametrize("value", [[], "fp8", 3, {"bits": 4}, {"quant_method": 7}])
def test_what_states_no_scheme_in_any_known_words(tmp_path: Path, value: object) -> None:
    """Something is said, so nothing is guessed; an empty list says nothing."""
    h, tensors = llama()
    written(tmp_path, "config.json", config(h, quantization_config=value))
    written(tmp_path, "model.safetensors", safetensors(to_hf(h, tensors)))
    with open_source(tmp_path) as source:
        assert ("quantization" in source.hyper) is bool(value)
        assert (source.architecture == "llama") is not bool(value)


def test_plain_floats_of_8_bits_are_weights(tmp_path: Path) -> None:
    """Without scales beside them, they are what they say."""
    save(tmp_path, {".weight": ("F8_E4M3", (12, 10))}, {})
    with open_source(tmp_path) as source:
        assert source.architecture == "llama"
        assert source.notes == ()


@pytest.mark.parametrize("dynamic", [None, {}, {"-:.*lm_head": {}}])
def test_gptq_that_only_leaves_modules_plain(tmp_path: Path, dynamic: object) -> None:
    """``-:`` names modules that are not quantized at all, which shows by their tensors anyway."""
    stored, said, _ = checkpoint("gptq")
    quantization = said["quantization_config"]
    assert isinstance(quantization, dict)
    quantization["dynamic"] = dynamic
    with open_source(save_weight_only(tmp_path, stored, said)) as source:
        assert source.architecture == "llama"
