"""The ``config.json`` of a model of the Llama family, from its hyper-parameters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod

from fourcc.registry import registry
from fourcc.sources.source import Source
from fourcc.transcode import Step

CONFIG = "config.json"
_COUNTS = {  # Hugging Face's word -> fourcc's
    "hidden_size": "dim",
    "intermediate_size": "hidden_dim",
    "num_hidden_layers": "n_layers",
    "num_attention_heads": "n_heads",
    "num_key_value_heads": "n_kv_heads",
    "head_dim": "head_dim",
    "vocab_size": "vocab_size",
    "max_position_embeddings": "seq_len",
    "rms_norm_eps": "norm_eps",
    "rope_theta": "rope_theta",
    "sliding_window": "sliding_window",
    "bos_token_id": "bos_token_id",
    "eos_token_id": "eos_token_id",
}
_DTYPES = {0: "float32", 1: "float16", 30: "bfloat16"}  # ggml's number of a dtype -> PyTorch's word
_CLASSES = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM", "qwen3": "Qwen3ForCausalLM"}


def family(steps: tuple[Step, ...]) -> str:
    """The first architecture that has all the tensors: norms of q and k, or biases of q, k and v alone, tell."""
    endings = {step.source.name.rpartition("attention.")[2] for step in steps}
    if "q_norm" in endings:
        return "qwen3"
    return "qwen2" if {"wq.bias", "wk.bias", "wv.bias"} <= endings and "wo.bias" not in endings else "llama"


def config(source: Source, steps: tuple[Step, ...]) -> bytes:
    """The file's text."""
    hyper, kind = source.hyper, family(steps)
    fields: dict[str, object] = {"architectures": [_CLASSES[kind]], "model_type": kind}
    fields |= {theirs: hyper[ours] for theirs, ours in _COUNTS.items() if ours in hyper}
    fields["hidden_act"] = hyper.get("hidden_act", "silu")
    fields["tie_word_embeddings"] = bool(hyper.get("tied_embeddings", False))
    if kind != "qwen2":
        fields["attention_bias"] = any(".attention.w" in name and name.endswith(".bias") for name in _names(steps))
    if "sliding_window" in hyper and kind != "llama":
        fields["use_sliding_window"] = True
    scaling = _scaling(hyper)
    if scaling:
        fields["rope_scaling"] = scaling
    fields["torch_dtype"] = _dtype(steps)
    return (json.dumps(fields, indent=2) + "\n").encode()


def _names(steps: tuple[Step, ...]) -> list[str]:
    return [step.source.name for step in steps]


def _scaling(hyper: Mapping[str, object]) -> dict[str, object]:
    found = {name.removeprefix("rope_scaling."): v for name, v in hyper.items() if name.startswith("rope_scaling.")}
    return {("rope_type" if word == "type" else word): value for word, value in found.items()}


def _dtype(steps: tuple[Step, ...]) -> str:
    """The dtype of most weights."""
    weights = dict.fromkeys(_DTYPES.values(), 0)
    for step in steps:
        number = registry[step.decision.tag].spec.foreign.get("ggml")
        if isinstance(number, int) and number in _DTYPES and len(step.source.shape) > 1:
            weights[_DTYPES[number]] += prod(step.source.shape)
    return max(weights, key=lambda word: weights[word])
