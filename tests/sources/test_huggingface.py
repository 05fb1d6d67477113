"""A Llama of Hugging Face: names, rows of q and k, hyper-parameters, contradictions between config and weights."""

import json
from pathlib import Path

import numpy as np
import pytest

from fourcc.errors import SourceError, UsageError
from fourcc.models.architecture import Architecture
from fourcc.sources import open_source
from tests.sources.writers import Arrays, config, decode, decoded, half_split, llama, safetensors, to_hf, written


def save(folder: Path, tensors: Arrays, settings: dict[str, object]) -> Path:
    """A folder with weights and config."""
    written(folder, "model.safetensors", safetensors(tensors))
    written(folder, "config.json", settings)
    return folder


@pytest.mark.parametrize("model_type", ["llama", "mistral", "qwen2", "qwen3"])
@pytest.mark.parametrize("tied", [True, False])
def test_names_rows_and_order(tmp_path: Path, model_type: str, tied: bool) -> None:
    """Tensors come out as llama2.c would hold them: q and k in adjacent pairs, in the model's order."""
    h, truth = llama(shared=tied)
    with open_source(save(tmp_path, to_hf(h, truth), config(h, tied=tied, model_type=model_type))) as source:
        found = decoded(source)
        assert (source.kind, source.architecture) == ("safetensors", "llama")
        assert not source.notes or model_type == "qwen3"  # which lacks its norms
        assert [path.name for path in source.files] == ["model.safetensors"]
        assert [path.name for path in source.companions] == ["config.json"]
        assert source.hyper["tied_embeddings"] is tied
        names = {tensor.name: tensor.source_name for tensor in source.tensors}
    assert list(found) == list(truth)
    assert all(np.array_equal(found[name], truth[name]) for name in truth)
    assert names["layers.1.attention.wk"] == "model.layers.1.self_attn.k_proj.weight"


def test_rows_by_their_formula(tmp_path: Path) -> None:
    """Row h * hd + 2i + s of ours is row h * hd + s * hd / 2 + i of theirs, whatever the run of rows that is read."""
    h, truth = llama(dim=24, heads=3, kv_heads=3)
    theirs = to_hf(h, truth)["model.layers.0.self_attn.q_proj.weight"]
    with open_source(save(tmp_path, to_hf(h, truth), config(h))) as source:
        q = next(tensor for tensor in source.tensors if tensor.name == "layers.0.attention.wq")
        for first in range(24):
            for last in range(first + 1, 25):
                rows = q.read(0, first, last)["values"]
                for row in range(first, last):
                    head, rest = divmod(row, 8)
                    i, s = divmod(rest, 2)
                    assert np.array_equal(rows[row - first], theirs[head * 8 + s * 4 + i])


def test_biases_and_norms_of_heads(tmp_path: Path) -> None:
    """Qwen2's biases and Qwen3's norms of q and k are permuted with their rows; all others are left alone."""
    h, truth = llama()
    rng = np.random.default_rng(5)
    ours = {
        "attention.wq.bias": rng.standard_normal(12).astype("<f4"),
        "attention.wk.bias": rng.standard_normal(4).astype("<f4"),
        "attention.wv.bias": rng.standard_normal(4).astype("<f4"),
        "attention.q_norm": rng.standard_normal(4).astype("<f4"),
        "attention.k_norm": rng.standard_normal(4).astype("<f4"),
    }
    theirs = {
        "q_proj.bias": half_split(ours["attention.wq.bias"], 4),
        "k_proj.bias": half_split(ours["attention.wk.bias"], 4),
        "v_proj.bias": ours["attention.wv.bias"],
        "q_norm.weight": half_split(ours["attention.q_norm"], 4),
        "k_norm.weight": half_split(ours["attention.k_norm"], 4),
    }
    more = {f"model.layers.0.self_attn.{name}": array for name, array in theirs.items()}
    with open_source(save(tmp_path, to_hf(h, truth) | more, config(h, model_type="qwen3"))) as source:
        found = decoded(source)
    for name, array in ours.items():
        assert np.array_equal(found[f"layers.0.{name}"], array), name
    assert list(found)[1:8] == [
        "layers.0.attention_norm",
        "layers.0.attention.wq",
        "layers.0.attention.wq.bias",
        "layers.0.attention.wk",
        "layers.0.attention.wk.bias",
        "layers.0.attention.wv",
        "layers.0.attention.wv.bias",
    ]


def test_half_precision_is_permuted_bit_for_bit(tmp_path: Path) -> None:
    """The rows move, the numbers stay as they are stored."""
    h, truth = llama()
    half = {name: array.astype("<f2") for name, array in to_hf(h, truth).items()}
    with open_source(save(tmp_path, half, config(h))) as source:
        q = next(tensor for tensor in source.tensors if tensor.name == "layers.1.attention.wq")
        stored = q.read(0, 0, 12)["values"]
    assert stored.dtype == np.float16
    assert np.array_equal(stored, truth["layers.1.attention.wq"].astype("<f2"))


def test_hyper_parameters(tmp_path: Path) -> None:
    """In fourcc's words; what scales the rotation, and the tokens that begin and end, are kept."""
    h, truth = llama()
    more = {
        "head_dim": None,
        "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "original_max_position_embeddings": 8192},
        "eos_token_id": [2, 3],
        "bos_token_id": 1,
    }
    with open_source(save(tmp_path, to_hf(h, truth), config(h, **more))) as source:
        assert source.hyper == {
            "dim": 12,
            "hidden_dim": 10,
            "n_layers": 2,
            "n_heads": 3,
            "n_kv_heads": 1,
            "head_dim": 4,
            "vocab_size": 7,
            "seq_len": 5,
            "norm_eps": 1e-6,
            "rope_theta": 500000.0,
            "rope_scaling.type": "llama3",
            "rope_scaling.factor": 8.0,
            "rope_scaling.original_max_position_embeddings": 8192,
            "rope_pairing": "adjacent",
            "tied_embeddings": True,
            "bos_token_id": 1,
            "eos_token_id": [2, 3],
        }


def test_rope_parameters_of_newer_configs(tmp_path: Path) -> None:
    """Base and scaling are in one map."""
    h, truth = llama()
    newer = {"rope_theta": 7.0, "rope_type": "default"}
    with open_source(save(tmp_path, to_hf(h, truth), config(h, rope_parameters=newer))) as source:
        assert source.hyper["rope_theta"] == 7.0
        assert not [key for key in source.hyper if key.startswith("rope_scaling")]


def test_head_width_of_its_own(tmp_path: Path) -> None:
    """The config says head_dim if it is not dim / heads, and the shapes follow."""
    h, truth = llama(dim=12, heads=2, kv_heads=2)
    wide = {name: array for name, array in truth.items() if ".attention.w" not in name}
    for i in range(2):
        for kind, shape in (("wq", (16, 12)), ("wk", (16, 12)), ("wv", (16, 12)), ("wo", (12, 16))):
            wide[f"layers.{i}.attention.{kind}"] = np.arange(192, dtype="<f4").reshape(shape)
    theirs = to_hf(h | {"dim": 16}, wide)  # heads of 8
    with open_source(save(tmp_path, theirs, config(h, head_dim=8))) as source:
        found = decoded(source)
    assert np.array_equal(found["layers.0.attention.wq"], wide["layers.0.attention.wq"])


BAD_CONFIGS: dict[str, tuple[dict[str, object], str]] = {
    "hidden size": ({"hidden_size": 24}, r"contradicts .*config.json: found shape \[7, 12\], expected 7 x 24"),
    "heads": ({"num_attention_heads": 2, "num_key_value_heads": 2}, r"tensor 'model.layers.0.self_attn.k_proj.weight'"),
    "vocabulary": ({"vocab_size": 8}, r"'model.embed_tokens.weight': the tensor contradicts"),
    "too few layers": ({"num_hidden_layers": 1}, "found layer 1, expected layers below n_layers 1"),
    "ffn": ({"intermediate_size": 11}, r"found shape \[10, 12\], expected 11 x 12 \(hidden_dim 11, dim 12\)"),
    "no number": ({"hidden_size": "12"}, "the key 'hidden_size' cannot be read: found '12', expected an integer"),
    "bool": ({"num_hidden_layers": True}, "the key 'num_hidden_layers' cannot be read: found True"),
    "zero heads": ({"num_attention_heads": 0}, "the key 'num_attention_heads' cannot be read: found 0"),
    "missing": ({"hidden_size": None}, "the key 'hidden_size' cannot be read: found None"),
    "odd heads": ({"head_dim": 3}, "the key 'head_dim' cannot be read: found 3, expected an even number"),
    "groups": ({"num_key_value_heads": 2}, "found 2, expected a divisor of the 3 heads"),
    "theta": ({"rope_theta": -1}, "the key 'rope_theta' cannot be read: found -1, expected a positive number"),
    "NaN": ({"rms_norm_eps": float("nan")}, "the key 'rms_norm_eps' cannot be read: found nan"),
    "scaling": ({"rope_scaling": "linear"}, "the key 'rope_scaling' cannot be read: found 'linear', expected a map"),
    "untied without output": (
        {"tie_word_embeddings": False},
        "expected true, for there is an embedding and no lm_head",
    ),
    "tied is a text": ({"tie_word_embeddings": "yes"}, "the key 'tie_word_embeddings' cannot be read: found 'yes'"),
}


@pytest.mark.parametrize(("changes", "what"), BAD_CONFIGS.values(), ids=BAD_CONFIGS)
def test_config_that_contradicts(tmp_path: Path, changes: dict[str, object], what: str) -> None:
    """Config and tensor are both named."""
    h, truth = llama()
    save(tmp_path, to_hf(h, truth), config(h, **changes))
    with pytest.raises(SourceError, match=what) as caught:
        open_source(tmp_path)
    assert str(tmp_path / "config.json") in str(caught.value)


@pytest.mark.parametrize("data", [b"{", b"[]", b'{"a":1,"a":2}', b"", b"\xff\xfe{}", b"[" * 100000])
def test_config_that_is_no_json(tmp_path: Path, data: bytes) -> None:
    """The error names the config."""
    written(tmp_path, "model.safetensors", safetensors({}))
    written(tmp_path, "config.json", data)
    with pytest.raises(SourceError, match=r"config\.json"):
        open_source(tmp_path)


def test_tied_output_is_stored_once(tmp_path: Path) -> None:
    """The config ties the two although the file has both, and counts, as for Hugging Face itself."""
    h, truth = llama(shared=False)
    truth["output"] = truth["tok_embeddings"]
    with open_source(save(tmp_path, to_hf(h, truth), config(h, tied=True))) as source:
        assert "output" not in decoded(source)
        assert source.hyper["tied_embeddings"] is True
        assert source.notes == ("lm_head is left out: it is the embedding, as the config says",)


def test_another_output_than_the_config_says_is_kept(tmp_path: Path) -> None:
    """transformers keeps it, too."""
    h, truth = llama(shared=False)
    truth["output"] = truth["tok_embeddings"].copy()
    truth["output"][-1, -1] += 1
    with open_source(save(tmp_path, to_hf(h, truth), config(h, tied=True))) as source:
        assert np.array_equal(decoded(source)["output"], truth["output"])
        assert source.hyper["tied_embeddings"] is False
        assert source.notes == ("the config ties lm_head to the embedding, but the two differ: lm_head is kept",)


@pytest.mark.parametrize("shared", [True, False])
def test_silent_config_is_tied_where_there_is_no_output(tmp_path: Path, shared: bool) -> None:
    """The weights tell."""
    h, truth = llama(shared=shared)
    with open_source(save(tmp_path, to_hf(h, truth), config(h, tie_word_embeddings=None))) as source:
        assert source.hyper["tied_embeddings"] is shared


def test_recomputed_tables_are_left_out(tmp_path: Path) -> None:
    """Old checkpoints hold the frequencies of the rotation."""
    h, truth = llama()
    more = {f"model.layers.{i}.self_attn.rotary_emb.inv_freq": np.ones(2, "<f4") for i in range(2)}
    with open_source(save(tmp_path, to_hf(h, truth) | more, config(h))) as source:
        assert list(decoded(source)) == list(truth)
        assert source.notes == (
            "2 tensors *.rotary_emb.inv_freq are left out: the rotation is computed from the config",
        )


def test_incomplete_model_is_noted(tmp_path: Path) -> None:
    """Also where the config claims layers without end."""
    h, truth = llama()
    with open_source(save(tmp_path, to_hf(h, truth), config(h, num_hidden_layers=2**31 - 1))) as source:
        assert source.notes[0].startswith("the model is not complete: there is no layers.2.attention_norm, layers.3.")


@pytest.mark.parametrize(
    ("changes", "name", "note"),
    [
        (
            {"model_type": "mamba"},
            "mamba",
            "no language model of a family that is known here (model_type 'mamba'): names are kept",
        ),
        (
            {"model_type": ["llama"]},
            None,
            "no language model of a family that is known here (model_type ['llama']): names are kept",
        ),
        (
            {"model_type": None},
            None,
            "no language model of a family that is known here (model_type None): names are kept",
        ),
        (
            {"architectures": ["LlamaForSequenceClassification"]},
            "LlamaForSequenceClassification",
            "no language model of a family that is known here (architectures LlamaForSequenceClassification)",
        ),
        (
            {"quantization_config": {"quant_method": "awq"}},
            "llama, quantized",
            "the weights are quantized by another tool, in a scheme that is not read here: awq. Its codes and scales",
        ),
    ],
)
def test_other_models_keep_their_names(tmp_path: Path, changes: dict[str, object], name: str | None, note: str) -> None:
    """And the order of their rows; the file says which they are, and the config comes along."""
    h, truth = llama()
    theirs = to_hf(h, truth)
    with open_source(save(tmp_path, theirs, config(h, **changes))) as source:
        found = decoded(source)
        assert source.architecture == name
        assert source.hyper == ({"quantization": "awq"} if "quantization_config" in changes else {})
        assert source.blobs["config.json"] == (tmp_path / "config.json").read_bytes()
        assert source.notes[0].startswith(note)
    assert list(found) == list(theirs)
    assert all(np.array_equal(found[name], theirs[name]) for name in theirs)


def test_without_config_names_are_kept(tmp_path: Path) -> None:
    """No guess is made."""
    h, truth = llama()
    written(tmp_path, "model.safetensors", safetensors(to_hf(h, truth)))
    with open_source(tmp_path) as source:
        assert source.architecture is None
        assert list(decoded(source)) == list(to_hf(h, truth))


def test_two_spellings_of_one_tensor(tmp_path: Path) -> None:
    """No rule tells which one counts."""
    h, truth = llama()
    save(tmp_path, to_hf(h, truth) | {"tok_embeddings": truth["tok_embeddings"]}, config(h))
    with pytest.raises(SourceError, match=r"'model.embed_tokens.weight' and 'tok_embeddings' are one tensor"):
        open_source(tmp_path)


def test_sharded_model_with_config(tmp_path: Path) -> None:
    """Index, files and config together; the config applies to each file opened by itself, too."""
    h, truth = llama()
    theirs = list(to_hf(h, truth).items())
    shards = {f"model-0000{n}-of-00002.safetensors": dict(theirs[n - 1 :: 2]) for n in (1, 2)}
    for name, part in shards.items():
        written(tmp_path, name, safetensors(part))
    weight_map = {tensor: name for name, part in shards.items() for tensor in part}
    written(tmp_path, "model.safetensors.index.json", {"metadata": {}, "weight_map": weight_map})
    written(tmp_path, "config.json", config(h))
    with open_source(tmp_path) as source:
        found = decoded(source)
        assert list(found) == list(truth)
        assert all(np.array_equal(found[name], truth[name]) for name in truth)


def test_tokenizer_files_beside(tmp_path: Path) -> None:
    """Taken by themselves; one that is damaged is noted and blocks nothing."""
    h, truth = llama()
    save(tmp_path, to_hf(h, truth), config(h))
    tokenizer = json.dumps({"version": "1.0", "model": {"type": "BPE"}}).encode()
    written(tmp_path, "tokenizer.json", tokenizer)
    written(tmp_path, "tokenizer.model", b"version https://git-lfs.github.com/spec/v1\n")
    with open_source(tmp_path) as source:
        assert source.blobs == {"tokenizer.json": tokenizer}
        assert [path.name for path in source.companions] == ["config.json", "tokenizer.json"]
        assert source.notes[0].startswith("tokenizer.model is left out: ")
        assert "Git LFS pointer" in source.notes[0]


def test_tokenizer_link_out_of_the_folder(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A downloaded folder cannot bring a file of the user's into the model."""
    h, truth = llama()
    save(tmp_path, to_hf(h, truth), config(h))
    secret = written(tmp_path_factory.mktemp("home"), "key.json", {"model": "secret"})
    (tmp_path / "tokenizer.json").symlink_to(secret)
    with pytest.raises(SourceError, match="a symbolic link that leads out of its folder"):
        open_source(tmp_path)


def test_numbers_of_blocks_are_read_in_whole_heads(tmp_path: Path) -> None:
    """A tensor read one row at a time equals the tensor read at once."""
    h, truth = llama()
    with open_source(save(tmp_path, to_hf(h, truth), config(h))) as source:
        for tensor in source.tensors:
            assert np.array_equal(decode(tensor, 1), decode(tensor, 100))


# -- what a family heeds; the facts are those of transformers 5.24, tried with tests/lanes/transformers_logits.py


def norms_of_heads(h: dict[str, int]) -> dict[str, np.ndarray]:
    """The norms of q and k, in each layer, under Hugging Face's names."""
    names = [f"model.layers.{i}.self_attn.{norm}.weight" for i in range(h["layers"]) for norm in ("q_norm", "k_norm")]
    return {name: np.ones(h["dim"] // h["heads"], np.float32) for name in names}


@pytest.mark.parametrize("lacking", ["all", "model.layers.1.self_attn.k_norm.weight"])
def test_norms_that_the_family_always_has(tmp_path: Path, lacking: str) -> None:
    """Transformers would take ones, and normalize: a file without them is refused when it is run."""
    h, truth = llama()
    norms = norms_of_heads(h) if lacking != "all" else {}
    norms.pop(lacking, None)
    with open_source(save(tmp_path, to_hf(h, truth) | norms, config(h, model_type="qwen3"))) as source:
        assert "a qwen3 has norms of q and k in each layer, and here a layer lacks them" in source.notes
        with pytest.raises(UsageError, match="it asks for what is not known here: qk_norm = True"):
            Architecture.of(source.architecture, source.hyper)


LAYERED = {"use_sliding_window": True, "sliding_window": 3}
WINDOWS: dict[str, tuple[str, dict[str, object], dict[str, object]]] = {
    "llama": ("llama", {"sliding_window": 3}, {}),
    "mistral": ("mistral", {"sliding_window": 3}, {"sliding_window": 3}),
    "mistral, null": ("mistral", {"sliding_window": None, "max_position_embeddings": 9000}, {}),
    "mistral, silent": ("mistral", {"max_position_embeddings": 9000}, {"sliding_window": 4096}),
    "mistral, silent and short": ("mistral", {}, {}),
    "mistral, no layer by type": ("mistral", {"sliding_window": 3, "layer_types": ["full_attention"] * 2}, {}),
    "mistral, by type": (  # transformers reads it as a ministral
        "mistral",
        {"sliding_window": 3, "layer_types": ["sliding_attention", "full_attention"]},
        {"sliding_window": 3, "sliding_window_layers": [1, 0]},
    ),
    "qwen2, off": ("qwen2", {"sliding_window": 3, "use_sliding_window": False}, {}),
    "qwen2, silent": ("qwen2", {"sliding_window": 3}, {}),
    "qwen2, no layer": ("qwen2", LAYERED, {}),
    "qwen2, all": ("qwen2", LAYERED | {"max_window_layers": 0}, {"sliding_window": 3}),
    "qwen2, last": (
        "qwen2",
        LAYERED | {"max_window_layers": 1},
        {"sliding_window": 3, "sliding_window_layers": [0, 1]},
    ),
    "qwen2, types before the first layer": (
        "qwen2",
        LAYERED | {"max_window_layers": 1, "layer_types": ["sliding_attention", "full_attention"]},
        {"sliding_window": 3, "sliding_window_layers": [1, 0]},
    ),
    "qwen3, by type": (
        "qwen3",
        LAYERED | {"layer_types": ["sliding_attention", "full_attention"]},
        {"sliding_window": 3, "sliding_window_layers": [1, 0]},
    ),
}


@pytest.mark.parametrize(("family", "more", "wanted"), WINDOWS.values(), ids=WINDOWS)
def test_windows(tmp_path: Path, family: str, more: dict[str, object], wanted: dict[str, object]) -> None:
    """Windows of the families that have one, in the layers that have it."""
    h, truth = llama()
    norms = norms_of_heads(h) if family == "qwen3" else {}
    with open_source(save(tmp_path, to_hf(h, truth) | norms, config(h, model_type=family, **more))) as source:
        assert {key: value for key, value in source.hyper.items() if "window" in key} == wanted
        noted = "keys of the config that a llama model does not heed are passed over: sliding_window"
        assert source.notes == ((noted,) if family == "llama" else ())


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"layer_types": ["sliding_attention"]}, "found '1 layers', expected 2, num_hidden_layers"),
        ({"layer_types": ["linear", "full_attention"]}, "expected a list of full_attention and sliding_attention"),
        ({"use_sliding_window": "yes"}, "the key 'use_sliding_window' cannot be read: found 'yes'"),
        ({"max_window_layers": 1.5}, "the key 'max_window_layers' cannot be read: found 1.5"),
        ({"sliding_window": -1}, "the key 'sliding_window' cannot be read: found -1"),
        ({"use_sliding_window": False, "layer_types": ["sliding_attention"] * 2}, "for there is no window"),
    ],
)
def test_windows_that_cannot_be(tmp_path: Path, more: dict[str, object], text: str) -> None:
    """transformers stops at them, too."""
    h, truth = llama()
    save(tmp_path, to_hf(h, truth), config(h, model_type="qwen2", **(LAYERED | more)))
    with pytest.raises(SourceError, match=text):
        open_source(tmp_path)


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen2", "qwen3"])
def test_tensors_that_the_config_denies(tmp_path: Path, family: str) -> None:
    """No rule tells which of the two is right: the model is not run, and the conversion says so."""
    h, truth = llama()
    own = {"qwen2": {"q_proj.bias"}, "qwen3": {"q_norm.weight"}}.get(family, set())
    for name, size, key in (("q_proj.bias", 12, "attention_bias"), ("q_norm.weight", 4, "qk_norm")):
        more = {f"model.layers.0.self_attn.{name}": np.ones(size, "<f4")}
        if family == "qwen3":
            more |= norms_of_heads(h)
        with open_source(save(tmp_path, to_hf(h, truth) | more, config(h, model_type=family))) as source:
            assert (key in source.hyper) == (name not in own), name
            assert any(f"not known here: {key} = False" in note for note in source.notes) == (name not in own)
    more = {"model.layers.1.mlp.up_proj.bias": np.ones(10, "<f4")}
    with open_source(save(tmp_path, to_hf(h, truth) | more, config(h, model_type=family, mlp_bias=True))) as source:
        assert source.hyper.get("mlp_bias") == (None if family == "llama" else False)


LLAMA3: dict[str, object] = {
    "rope_type": "llama3",
    "factor": 2.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
}
LLAMA3_HYPER: dict[str, object] = {("type" if key == "rope_type" else key): value for key, value in LLAMA3.items()}
ROTATIONS: dict[str, tuple[dict[str, object], dict[str, object], str]] = {
    "older wins": (
        {"rope_scaling": {"type": "linear", "factor": 4.0}, "rope_parameters": {"rope_type": "linear", "factor": 2.0}},
        {"type": "linear", "factor": 4.0},
        "rope_scaling and rope_parameters differ: rope_scaling is taken",
    ),
    "older is empty": (
        {"rope_scaling": {}, "rope_parameters": {"rope_type": "linear", "factor": 2.0}},
        {"type": "linear", "factor": 2.0},
        "",
    ),
    "rope_type before type": (
        {"rope_scaling": {"type": "linear", "rope_type": "default", "factor": 2.0}},
        {},
        "factor",
    ),
    "llama3 without its context": (
        {"rope_scaling": LLAMA3},
        LLAMA3_HYPER | {"original_max_position_embeddings": 5},
        "",
    ),
    "llama3's context in the map": (
        {"rope_scaling": LLAMA3 | {"original_max_position_embeddings": 3}},
        LLAMA3_HYPER | {"original_max_position_embeddings": 3},
        "",
    ),
    "llama3's context beside the map": (
        {
            "rope_scaling": LLAMA3 | {"original_max_position_embeddings": 3},
            "original_max_position_embeddings": 4,
        },
        LLAMA3_HYPER | {"original_max_position_embeddings": 4},
        "",
    ),
    "unheeded": (
        {"rope_scaling": {"type": "linear", "factor": 2.0, "beta_fast": 3}},
        {"type": "linear", "factor": 2.0},
        "rope scaling 'linear' does not heed beta_fast: passed over",
    ),
    "partial": ({"partial_rotary_factor": 0.5}, {}, "passed over: partial_rotary_factor"),
}


@pytest.mark.parametrize(("more", "wanted", "note"), ROTATIONS.values(), ids=ROTATIONS)
def test_rotations(tmp_path: Path, more: dict[str, object], wanted: dict[str, object], note: str) -> None:
    """The map that counts of two, and the keys that a kind heeds."""
    h, truth = llama()
    with open_source(save(tmp_path, to_hf(h, truth), config(h, **more))) as source:
        found = {key.partition(".")[2]: value for key, value in source.hyper.items() if key.startswith("rope_scaling")}
        assert found == wanted
        assert [note in each for each in source.notes] == ([True] if note else [])


@pytest.mark.parametrize("name", ["rope_parameters", "rope_scaling"])
def test_the_base_in_the_map_counts(tmp_path: Path, name: str) -> None:
    """It takes precedence over the one beside the map, as in transformers."""
    h, truth = llama()
    more = {name: {"rope_type": "linear", "factor": 2.0, "rope_theta": 500.0}, "rope_theta": 700.0}
    with open_source(save(tmp_path, to_hf(h, truth), config(h, **more))) as source:
        assert source.hyper["rope_theta"] == 500.0


@pytest.mark.parametrize(
    ("spelled", "note"),
    [
        ("_orig_mod.{}", "20 names are read without '_orig_mod.': _orig_mod.model.embed_tokens.weight as model.emb"),
        ("language_model.{}", "20 names are read without 'language_model.': language_model.model.embed_tokens"),
        ("model.language_model.{}", "20 names are read without 'model.language_model.': model.language_model.mod"),
        ("_orig_mod.language_model.{}", "20 names are read without '_orig_mod.language_model.': _orig_mod.lang"),
    ],
)
def test_names_behind_a_wrapper(tmp_path: Path, spelled: str, note: str) -> None:
    """Words that wrappers of models put before all names are passed over, and a note says so."""
    h, truth = llama()
    theirs = {spelled.format(name): array for name, array in to_hf(h, truth).items()}
    with open_source(save(tmp_path, theirs, config(h, tied=None))) as source:  # type: ignore[arg-type]
        assert any(each.startswith(note) for each in source.notes), source.notes
        found = decoded(source)
    assert found.keys() == truth.keys()
    assert all(np.array_equal(found[name], truth[name]) for name in truth)


def test_names_without_the_family_s_word(tmp_path: Path) -> None:
    """A model that was saved without its head lacks the word `model`; an output matrix would have none anyway."""
    h, truth = llama(tied=True)
    theirs = {name.removeprefix("model."): array for name, array in to_hf(h, truth).items()}
    with open_source(save(tmp_path, theirs, config(h, tied=True))) as source:
        note = (
            "names are read with the words that the family puts before them: embed_tokens.weight as model.embed_tokens"
        )
        assert any(note in each for each in source.notes), source.notes
        assert decoded(source).keys() == truth.keys()


def test_names_behind_another_prefix(tmp_path: Path) -> None:
    """They are not guessed at, but reported."""
    h, truth = llama()
    theirs = {f"base_model.model.{name}": array for name, array in to_hf(h, truth).items()}
    with open_source(save(tmp_path, theirs, config(h, tied=None))) as source:  # type: ignore[arg-type]
        note = "20 tensors have unknown names that begin with 'base_model.model.': "
        assert any(each.startswith(note) for each in source.notes), source.notes


def test_an_adapter_is_called_one(tmp_path: Path) -> None:
    """Its folder has no config of a model."""
    written(tmp_path, "model.safetensors", safetensors({"base_model.x.lora_A.weight": np.ones(2, "<f4")}))
    written(tmp_path, "adapter_config.json", {"peft_type": "LORA"})
    with open_source(tmp_path) as source:
        assert source.notes == (
            "a LoRA adapter (adapter_config.json), no model: merge it into the model that it was made for",
        )
