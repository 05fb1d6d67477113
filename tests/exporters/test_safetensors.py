"""Export to safetensors: the safetensors package reads the right values, and the folder loads back."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

import fourcc
from fourcc.errors import UsageError
from fourcc.exporters import KINDS
from fourcc.exporters.export import check_targets, execute_export, plan_export
from fourcc.policy import Policy
from fourcc.sources import open_source
from fourcc.sources.source import Source
from tests.sources.writers import config, decoded, hf_name, llama, llama2c_v0, safetensors, to_hf, written

WIDE = {"dim": 64, "hidden": 96, "heads": 4, "kv_heads": 2, "vocab": 20}


def export(source: Path, target: Path, policy: Policy | None = None, **options: object) -> list[str]:
    """Exports to safetensors; gives the notes."""
    with open_source(source) as opened:
        planned = plan_export(opened, KINDS["safetensors"], policy, **options)  # type: ignore[arg-type]
        execute_export(planned, check_targets(planned, target, force=True))
        return list(planned.layout.notes)


def read(path: Path) -> dict[str, np.ndarray]:  # type: ignore[type-arg]
    """All tensors, by the safetensors package."""
    with safe_open(path, framework="numpy") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping


def test_decoded_weights(tmp_path: Path) -> None:
    """Tensors get Hugging Face's names and order of rows; blocks are decoded exactly, without --as."""
    h, tensors = llama(**WIDE, shared=False)
    path = written(tmp_path, "v0.bin", llama2c_v0(h, tensors))
    fourcc.convert(path, tmp_path / "model.bin", policy=Policy.shorthand("Q8_A"))
    (tmp_path / "hf").mkdir()
    export(tmp_path / "model.bin", tmp_path / "hf" / "model.safetensors")
    with fourcc.open(tmp_path / "model.bin") as model:
        truth = {name: model[name].decode() for name in model}
    found = read(tmp_path / "hf" / "model.safetensors")
    expected = to_hf(h, truth)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], array) for name, array in expected.items())
    with open_source(tmp_path / "hf") as source, fourcc.open(tmp_path / "model.bin") as model:
        assert all(np.array_equal(array, truth[name]) for name, array in decoded(source).items())
        assert source.hyper == model.index.hyper
        assert source.notes == ()


@pytest.mark.parametrize("tag", ["F16", "BF16", "F32"])
def test_dtypes(tmp_path: Path, tag: str) -> None:
    """Blocks become the wanted dtype, norms stay float32. The config names the dtype of most weights."""
    h, tensors = llama(**WIDE)
    path = written(tmp_path, "v0.bin", llama2c_v0(h, tensors))
    fourcc.convert(path, tmp_path / "model.bin", policy=Policy.shorthand("Q8_0"))
    (tmp_path / "hf").mkdir()
    export(tmp_path / "model.bin", tmp_path / "hf" / "model.safetensors", instead=tag)
    with open_source(tmp_path / "hf") as source, fourcc.open(tmp_path / "model.bin") as model:
        assert {str(tensor.tag) for tensor in source.tensors if len(tensor.shape) > 1} == {tag}
        for name, array in decoded(source).items():
            assert np.array_equal(array, fourcc.encode(model[name].decode(), str(source_tag(source, name))).decode())
    names = {"F16": "float16", "BF16": "bfloat16", "F32": "float32"}
    assert json.loads((tmp_path / "hf" / "config.json").read_text())["torch_dtype"] == names[tag]


def source_tag(source: Source, name: str) -> object:
    """The tag of a source's tensor."""
    return next(tensor.tag for tensor in source.tensors if tensor.name == name)


@pytest.mark.parametrize(
    ("more", "kind"),
    [
        ({}, "llama"),
        ({"wq.bias": 12, "wk.bias": 4, "wv.bias": 4}, "qwen2"),
        ({"q_norm": 4, "k_norm": 4}, "qwen3"),
        ({"wq.bias": 12, "wk.bias": 4, "wv.bias": 4, "wo.bias": 12}, "llama"),
    ],
    ids=["llama", "qwen2", "qwen3", "biases"],
)
def test_there_and_back(tmp_path: Path, more: dict[str, int], kind: str) -> None:
    """A folder of Hugging Face's gives the same tensors and config again."""
    h, tensors = llama()
    files = to_hf(h, tensors)
    for layer in range(2):
        for name, size in more.items():
            stem, _, ending = name.partition(".")
            word = f"{stem[1]}_proj" if ending else stem
            values = np.arange(size, dtype="<f4")
            files[f"model.layers.{layer}.self_attn.{word}.{ending or 'weight'}"] = values
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    scaling = {"rope_type": "linear", "factor": 2.0}
    given = config(h, model_type=kind, head_dim=4, rope_scaling=scaling, eos_token_id=[1, 2])
    given |= {"attention_bias": True} if "wo.bias" in more else {}
    written(tmp_path / "a", "config.json", given)
    written(tmp_path / "a", "model.safetensors", safetensors(files))
    written(tmp_path / "a", "tokenizer.json", {"model": {}, "version": "1.0"})
    export(tmp_path / "a", tmp_path / "b" / "model.safetensors")
    found = read(tmp_path / "b" / "model.safetensors")
    assert found.keys() == files.keys()
    assert all(np.array_equal(found[name], array) for name, array in files.items())
    made = json.loads((tmp_path / "b" / "config.json").read_text())
    assert made["architectures"] == [{"llama": "Llama", "qwen2": "Qwen2", "qwen3": "Qwen3"}[kind] + "ForCausalLM"]
    assert made | given == {**made, "architectures": given["architectures"]}
    assert (tmp_path / "b" / "tokenizer.json").read_bytes() == (tmp_path / "a" / "tokenizer.json").read_bytes()
    with open_source(tmp_path / "a") as before, open_source(tmp_path / "b") as after:
        assert after.hyper == before.hyper
        assert after.blobs == before.blobs


def test_other_architectures(tmp_path: Path) -> None:
    """Names and integers stay, and no config is made. Names may hold quotes."""
    tensors = {'a"b': np.int64([1, 2]), "x": np.float64([[0.5]]), "e": np.zeros((0, 3), "<f4")}
    path = written(tmp_path, "x.safetensors", safetensors(tensors))
    export(path, tmp_path / "y.safetensors")
    found = read(tmp_path / "y.safetensors")
    for name, array in tensors.items():
        np.testing.assert_array_equal(found[name], array, strict=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.safetensors", "y.safetensors"]


def test_files_beside_are_not_overwritten(tmp_path: Path) -> None:
    """An existing config stops the export before anything is written."""
    h, tensors = llama()
    path = written(tmp_path, "v0.bin", llama2c_v0(h, tensors))
    (tmp_path / "hf").mkdir()
    written(tmp_path / "hf", "config.json", b"mine")
    with open_source(path) as opened:
        planned = plan_export(opened, KINDS["safetensors"])
        with pytest.raises(UsageError, match=r"config.json: the output exists. --force replaces it"):
            check_targets(planned, tmp_path / "hf" / "model.safetensors", force=False)
    assert [p.name for p in (tmp_path / "hf").iterdir()] == ["config.json"]


def test_names_of_hugging_face(tmp_path: Path) -> None:
    """The offsets of every tensor are those that the package would write."""
    h, tensors = llama(shared=False)
    path = written(tmp_path, "v0.bin", llama2c_v0(h, tensors))
    export(path, tmp_path / "y.safetensors")
    assert list(read(tmp_path / "y.safetensors")) == sorted(map(hf_name, tensors))
