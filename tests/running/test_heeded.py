"""Consumed or refused: whatever a model holds that its network does not take refuses it by name, from every source."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fourcc
from fourcc.errors import FourccError, InputError, UsageError
from fourcc.networks import NETWORKS, check
from fourcc.networks.llama import LLAMA
from fourcc.networks.network import Network
from tests.container import forge
from tests.running import made_networks
from tests.sources.writers import (
    config,
    gguf,
    gguf_key,
    gguf_llama_keys,
    gguf_name,
    hf_name,
    llama,
    llama2c_v0,
    safetensors,
    to_hf,
    written,
)

SIZES, TENSORS = llama(shared=False)
Key = tuple[str, object]
Extra = tuple[str, np.ndarray]


# -- the kinds of sources: a file of the same model, with a tensor or a key more


def folder(path: Path, tensor: Extra | None, key: Key | None) -> Path:
    """A folder of Hugging Face's."""
    extra = {tensor[0]: tensor[1]} if tensor else {}
    written(path, "model.safetensors", safetensors(to_hf(SIZES, TENSORS) | extra))
    written(path, "config.json", config(SIZES, tied=False, **dict([key] if key else [])))
    return path


def ggml(path: Path, tensor: Extra | None, key: Key | None) -> Path:
    """A GGUF file."""
    keys = gguf_llama_keys(SIZES)
    if key is not None:
        kind = {bool: 7, int: 5, float: 6, str: 8}[type(key[1])]
        keys.append(gguf_key(f"llama.{key[0]}", kind, key[1]))
    arrays = {gguf_name(name): array for name, array in TENSORS.items()} | dict([tensor] if tensor else [])
    data = gguf(keys, [(name, array.shape, 0, array.tobytes()) for name, array in arrays.items()])
    return written(path, "m.gguf", data)


def container(path: Path, tensor: Extra | None, key: Key | None) -> Path:
    """A model.bin."""
    arrays = TENSORS | dict([tensor] if tensor else [])
    payload, tensors = b"", []
    for name, array in arrays.items():
        part = forge.part(name, array.tobytes(), 64 + len(payload), [*(1,) * (array.ndim == 1), *array.shape])
        tensors.append(forge.tensor(name, list(array.shape), [part]))
        payload += forge.padded(array.tobytes())
    tree = forge.index_of(tensors, []) | {"architecture": "llama", "hyper": honest() | dict([key] if key else [])}
    return forge.forge(path / "model.bin", tree, payload)


def honest() -> dict[str, object]:
    """Hyper-parameters of the model."""
    words = {"dim": "dim", "hidden": "hidden_dim", "layers": "n_layers", "heads": "n_heads", "kv_heads": "n_kv_heads"}
    words |= {"vocab": "vocab_size", "seq": "seq_len"}
    sizes = {words[name]: size for name, size in SIZES.items()}
    return {**sizes, "head_dim": 4, "norm_eps": 1e-6, "rope_theta": 1e4, "tied_embeddings": False}


SOURCES: dict[str, tuple[Callable[[Path, Extra | None, Key | None], Path], Callable[[str], str]]] = {
    "Hugging Face": (folder, hf_name),
    "GGUF": (ggml, gguf_name),
    "model.bin": (container, lambda name: name),
}
every_source = pytest.mark.parametrize("kind", SOURCES)


def opened(path: Path, into: Path) -> tuple[fourcc.Model, tuple[str, ...]]:
    """The model, converted where it is no model.bin, and the notes of a conversion."""
    result = fourcc.convert(path, into / "converted.bin", force=True)
    return fourcc.open(path if path.name == "model.bin" else into / "converted.bin"), result.notes


# -- tensors


def strangers(spelled: Callable[[str], str]) -> list[str]:
    """A name that is not known at every place where a known one is: beside, before, behind and within it."""
    names = []
    for template in LLAMA.tensors:
        known = template.replace("*", "1")
        if known.endswith((".bias", "q_norm", "k_norm")):
            continue
        theirs = spelled(known)
        stem = theirs.removesuffix(".weight")
        names += [f"{stem}.lora_A.weight", f"{stem}.weight_scale", f"{stem}_extra.weight", f"adapter.{theirs}"]
        if f"{template}.bias" not in LLAMA.tensors:
            names.append(f"{stem}.bias")
    return names


@every_source
def test_every_tensor_that_is_not_taken_refuses_the_model(kind: str, tmp_path: Path) -> None:
    """The refusal is noted when the model is converted."""
    make, spelled = SOURCES[kind]
    for name in strangers(spelled):
        model, notes = opened(make(tmp_path, (name, np.ones(12, "<f4")), None), tmp_path)
        with pytest.raises(UsageError, match=r"this model cannot be run: 1 tensor is not known here: '") as caught:
            model.network()
        shown = re.search(r"here: '(.*)'", str(caught.value))
        assert shown is not None
        assert shown[1] in model
        assert str(caught.value).startswith(str(model.path)), name
        assert kind == "model.bin" or any("1 tensor is not known here" in note for note in notes), name


def test_the_untouched_models_run(tmp_path: Path) -> None:
    """Without the change the model runs, so it is the change that is refused."""
    for make, _ in SOURCES.values():
        model, notes = opened(make(tmp_path, None, None), tmp_path)
        assert notes == ()
        assert np.isfinite(model.network().forward([1, 2])).all()


# -- keys

ASKED: dict[str, list[Key]] = {
    "Hugging Face": [
        ("per_layer_config", {"0": {"hidden_size": 4}}),
        ("is_causal", False),
        ("attention_bias", True),
        ("mlp_bias", True),
        ("hidden_act", "gelu"),
        ("logit_scale", 0.5),
        ("sliding_window", 3),
        ("rope_scaling", {"rope_type": "ntk", "factor": 2.0}),
        ("rope_scaling", {"rope_type": "linear", "factor": 2.0, "partial_rotary_factor": 0.5}),
        ("rope_scaling", {"rope_type": "linear", "factor": 2.0, "beta_fast": 32}),
        ("anything", "at all"),
    ],
    "GGUF": [
        ("expert_group_count", 8),
        ("attention.causal", False),
        ("attention.scale", 0.5),
        ("attention.value_length", 8),
        ("attention.key_length", 0),
        ("rope.scaling.type", "ntk"),
        ("rope.scaling.attn_factor", 0.5),
        ("rope.freq_base", 0.0),
        ("logit_scale", 0.5),
        ("anything.else", "at all"),
    ],
    "model.bin": [
        ("expert_count", 8),
        ("hidden_act", "gelu"),
        ("rope_pairing", "halves"),
        ("rope_scaling.type", "ntk"),
        ("rope_scaling.anything", 1),
        ("anything", "at all"),
    ],
}
NEUTRAL = {"attention_bias", "mlp_bias"}  # true, and no such tensors: transformers takes zeros


@pytest.mark.parametrize(("kind", "key"), [(kind, key) for kind, keys in ASKED.items() for key in keys])
def test_every_key_that_is_not_heeded_refuses_the_model_or_is_noted(kind: str, key: Key, tmp_path: Path) -> None:
    """A key that the family heeds is refused when the model is run; one that it passes over has a note."""
    model, notes = opened(SOURCES[kind][0](tmp_path, None, key), tmp_path)
    word = key[0] if not isinstance(key[1], dict) or "rope_type" not in key[1] else ""
    if key[0] in NEUTRAL:
        model.network()
        return
    refused = refusal(model)
    if refused is None:
        assert any(word in note and "passed over" in note for note in notes), notes
    else:
        assert key[0].rpartition(".")[2].removesuffix("ension_count") in refused or "rope_" in refused
        assert kind == "model.bin" or any("this model cannot be run" in note for note in notes)


def refusal(model: fourcc.Model) -> str | None:
    """Why it cannot be run."""
    try:
        model.network()
    except UsageError as error:
        return str(error)
    return None


LLAMA3 = {
    "rope_scaling.type": "llama3",
    "rope_scaling.factor": 8.0,
    "rope_scaling.low_freq_factor": 1.0,
    "rope_scaling.high_freq_factor": 4.0,
    "rope_scaling.original_max_position_embeddings": 8,
}
YARN = {"rope_scaling.type": "yarn", "rope_scaling.factor": 8.0, "rope_scaling.original_max_position_embeddings": 32}
LONG = {
    "rope_scaling.type": "longrope",
    "rope_scaling.short_factor": [2.0, 3.0],
    "rope_scaling.long_factor": [4.0, 6.0],
    "rope_scaling.original_max_position_embeddings": 128,
}
BESIDE: dict[str, dict[str, object]] = {  # what a key is heeded with
    **dict.fromkeys(LLAMA3, LLAMA3),
    "rope_scaling.attention_factor": YARN,
    "rope_scaling.beta_fast": YARN | {"rope_theta": 3.0},
    "rope_scaling.beta_slow": YARN | {"rope_theta": 3.0},
    "rope_scaling.truncate": YARN | {"rope_theta": 3.0},
    "rope_scaling.mscale": YARN | {"rope_scaling.mscale_all_dim": 0.5},
    "rope_scaling.mscale_all_dim": YARN | {"rope_scaling.mscale": 0.5},
    "rope_scaling.short_factor": LONG,
    "rope_scaling.long_factor": LONG | {"rope_scaling.original_max_position_embeddings": 8},
    "rope_scaling.factors": {"rope_scaling.type": "factors", "rope_scaling.factors": [2.0, 3.0]},
    "sliding_window_layers": {"sliding_window": 3},
    "rope_local_theta": {"sliding_window": 3, "rope_local_theta": 20.0},
}
CHANGED: dict[str, object] = {  # others are doubled, or 0.5
    "tied_embeddings": True,
    "sliding_window": 2,
    "sliding_window_layers": [1, 0],
    "rope_layers": [1, 0],
    "expert_layers": [0, 1],
    "parallel_residual": True,
    "attention_scale": 0.3,
    "expert_weights_normalized": True,
    "expert_scores": "sigmoid",
    "rope_scaling.type": "linear",
    "rope_scaling.low_freq_factor": 0.25,
    "rope_scaling.factors": [5.0, 1.5],
    "rope_scaling.short_factor": [5.0, 1.5],
    "rope_scaling.long_factor": [5.0, 1.5],
    "rope_scaling.mscale": 0.7,
    "rope_scaling.mscale_all_dim": 0.7,
    "rope_scaling.beta_fast": 1.5,
    "rope_scaling.beta_slow": 3.0,
    "rope_scaling.truncate": False,
    "rope_pairing": "halves",
    "rope_dim": 2,
    "hidden_act": "gelu",
    "seq_len": 2,
    "n_experts_used": 3,
    "gate_limit": 0.25,
}


def every_key() -> list[Any]:
    """Each network with each of its keys: one code runs them all, so a quick run asks each key of one network."""
    first = {key: name for name, network in reversed(NETWORKS.items()) for key in network.keys}
    return [
        pytest.param(name, key, marks=() if first[key] == name else pytest.mark.thorough)
        for name, network in NETWORKS.items()
        for key in network.keys
    ]


@cache
def untouched(name: str) -> bytes:
    """Logits of a network's small model."""
    network = NETWORKS[name]
    return made_networks.logits(
        network, made_networks.honest(network), made_networks.tensors(network, made_networks.honest(network))
    )


def outcome(network: Network, hyper: dict[str, object]) -> bytes | str:
    """Logits of the model under other hyper-parameters, or why it is refused."""
    arrays = made_networks.tensors(network, made_networks.honest(network))
    try:
        check(network.name, hyper, {name: array.shape for name, array in arrays.items()})
        return made_networks.logits(network, hyper, arrays)
    except FourccError as error:
        return str(error)


@pytest.mark.parametrize(("name", "key"), every_key())
def test_every_key_that_is_heeded_changes_the_numbers(name: str, key: str) -> None:
    """A declared key changes the logits, or is refused where the tensors contradict it; none is without effect."""
    network = NETWORKS[name]
    base = {**made_networks.honest(network), **BESIDE.get(key, {})}
    value = base.get(key)
    changed = CHANGED[key] if key in CHANGED else 0.5 if value is None else 2 * value  # type: ignore[operator]
    before, after = outcome(network, base), outcome(network, {**base, key: changed})
    assert isinstance(before, bytes), before
    assert after != before


@pytest.mark.parametrize(
    ("name", "template"), [(name, template) for name, each in NETWORKS.items() for template in each.tensors]
)
def test_every_tensor_that_is_taken_changes_the_numbers(name: str, template: str) -> None:
    """Every tensor of the declaration changes the logits; optional ones are added first."""
    network = NETWORKS[name]
    hyper = made_networks.honest(network)
    arrays = made_networks.tensors(network, hyper)
    tensor = network.tensors[template]
    changed = np.random.default_rng(5).standard_normal(tensor.sizes(hyper)).astype("<f4")
    layer = next(layer for layer in (1, 0) if tensor.is_in(layer, hyper))
    after = made_networks.logits(network, hyper, arrays | {template.replace("*", str(layer)): changed})
    assert after != untouched(name)


# -- impossible hyper-parameters

WRONG: list[tuple[str, object, str]] = [
    *(
        (name, value, name)
        for name in ("dim", "n_layers", "n_heads", "head_dim", "seq_len", "vocab_size", "hidden_dim")
        for value in (True, 4.0, "4", 0, -1, 2**31, 2**32, 2**62, 1e38, 5e-324, [4])
    ),
    ("n_layers", 2**31 - 1, r"n_layers: found 2147483647, expected at most 2, the layers that there are"),
    ("n_layers", 1, "layer 1, expected layers below n_layers 1"),
    ("head_dim", 3, "head_dim: found 3, expected an even number"),
    ("n_kv_heads", 2, "n_kv_heads: found 2, expected a divisor of the 3 heads"),
    ("head_dim", 2**30, r"shape \[12, 12\], expected 3221225472 x 12"),
    ("dim", 24, r"shape \[7, 12\], expected 7 x 24"),
    ("vocab_size", 8, r"'tok_embeddings'.*expected 8 x 12"),
    ("norm_eps", 5e-324, "norm_eps"),
    ("norm_eps", 1e39, "norm_eps"),
    ("norm_eps", True, "norm_eps"),
    ("rope_theta", 5e-324, "rope_theta"),
    ("rope_theta", "1", "rope_theta"),
    ("rope_scaling.type", 3, "rope_scaling.type"),
    ("rope_scaling.factor", 2.0, "rope_scaling.type is missing"),
    ("rope_scaling.type", "linear", "rope_scaling.factor is missing"),
    ("rope_scaling.type", "factors", "rope_scaling.factors is missing"),
    ("rope_scaling.factor", 5e-324, "rope_scaling.factor"),
    ("rope_scaling.factor", 0, "rope_scaling.factor"),
    ("rope_scaling.factors", ["a", "b"], "rope_scaling.factors"),
    ("rope_scaling.factors", [0, 0], "rope_scaling.factors"),
    ("rope_scaling.factors", 2.0, "rope_scaling.factors"),
    ("tied_embeddings", 1, "tied_embeddings"),
    ("tied_embeddings", True, r"'output'.*found a tensor of its own, expected none \(tied_embeddings is true\)"),
    ("sliding_window", 0, "sliding_window"),
    ("sliding_window", 2.0, "sliding_window"),
    ("sliding_window_layers", [1, 0], "sliding_window is missing"),
    ("sliding_window_layers", [1, 2], "sliding_window_layers"),
    ("sliding_window_layers", "11", "sliding_window_layers"),
]


@pytest.mark.parametrize(("name", "value", "text"), WRONG)
def test_impossible_hyper_parameters(name: str, value: object, text: str, tmp_path: Path) -> None:
    """File and key are named, and the answer comes before anything is allocated."""
    path = container(tmp_path, None, (name, value))
    with fourcc.open(path) as model, pytest.raises(InputError, match=text) as caught:
        model.network()
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"heads": 6, "kv_heads": 4}, "n_kv_heads: found 4, expected a divisor of the 6 heads"),
        ({"dim": 9}, "head_dim: found 3, expected an even number"),
    ],
)
def test_heads_that_no_attention_has(changes: dict[str, int], text: str, tmp_path: Path) -> None:
    """All shapes fit; GGUF and a model.bin made from it are refused when run, other sources on opening."""
    h, tensors = llama(**changes)
    data = [(gguf_name(name), array.shape, 0, array.tobytes()) for name, array in tensors.items()]
    path = written(tmp_path, "m.gguf", gguf(gguf_llama_keys(h), data))
    model, notes = opened(path, tmp_path)
    assert any(text in note for note in notes)
    with pytest.raises(InputError, match=text):
        model.network()
    written(tmp_path, "model.safetensors", safetensors(to_hf(h, {}) | {"lm_head.weight": tensors["norm"]}))
    written(tmp_path, "config.json", config(h))
    for each in (tmp_path / "model.safetensors", written(tmp_path, "v0.bin", llama2c_v0(h, tensors))):
        with pytest.raises(InputError):
            fourcc.convert(each, tmp_path / "x.bin")


def test_pairs_of_hyper_parameters() -> None:
    """Pairs contradict each other though each value is valid by itself."""
    more = {"rope_scaling.type": "factors", "rope_scaling.factors": [1.0, 2.0, 3.0]}
    with pytest.raises(InputError, match=r"rope_scaling.factors: found 3 factors, expected 2, one a pair"):
        check("llama", honest() | more)
    llama3 = {"type": "llama3", "factor": 8.0, "low_freq_factor": 4.0, "high_freq_factor": 4.0}
    more = {f"rope_scaling.{name}": value for name, value in llama3.items()}
    more["rope_scaling.original_max_position_embeddings"] = 8
    with pytest.raises(InputError, match=r"high_freq_factor: found 4.0, expected more than low_freq_factor 4.0"):
        check("llama", honest() | more)
    more = {"sliding_window": 3, "sliding_window_layers": [1, 0, 1]}
    with pytest.raises(InputError, match=r"sliding_window_layers: found 3 layers, expected 2, n_layers"):
        check("llama", honest() | more)
    for name in [name for name, key in LLAMA.keys.items() if key.needed]:
        with pytest.raises(InputError, match=f"its hyper-parameter {name} is missing"):
            check("llama", {key: value for key, value in honest().items() if key != name})


def test_a_long_context_takes_memory_only_where_it_is_used(tmp_path: Path) -> None:
    """A stated length of 10^9 runs, or is refused for the memory that it would take; none of it is touched."""
    path = container(tmp_path, None, ("seq_len", 10**9))
    with fourcc.open(path) as model:
        assert np.isfinite(model.network(64).forward([1, 2])).all()
        refused = refusal(model)
        assert refused is None or "there is not enough memory for the context: found 1000000000 positions" in refused


def test_untied_without_output(tmp_path: Path) -> None:
    """A model that was converted without its output matrix is not one that has the embedding for it."""
    path = folder(tmp_path, None, None)
    fourcc.convert(path, tmp_path / "cut.bin", exclude=["output"])
    with fourcc.open(tmp_path / "cut.bin") as model, pytest.raises(InputError, match=r"'output'.*a tensor is missing"):
        model.network()


def test_only_declared_networks_run() -> None:
    """Another architecture is refused by name; the table decides, so a new network is a new entry."""
    with pytest.raises(UsageError, match="found architecture mamba, expected llama"):
        check("mamba", {})


def test_the_page_lists_every_key(root: Path) -> None:
    """`specs/container.md` is what a model.bin's hyper-parameters are read from."""
    page = (
        (root / "specs" / "container.md").read_text().partition("### Hyper-parameters")[2].partition("Rotary pairs")[0]
    )
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    listed = {name for row in rows for name in re.findall(r"`([^`]+)`", row)}
    words = {word for network in NETWORKS.values() for word in (*network.keys, *network.information)}
    assert listed >= {*words, "quantization"}  # which refuses every model
