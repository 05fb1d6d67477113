"""The ``config.json`` of a model of the Llama family, from its hyper-parameters and the names of its tensors."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import prod

import attrs

from fourcc.conversion.pipeline import Step
from fourcc.errors import SourceError, UsageError
from fourcc.exporters.refusals import refuse_heads, refuse_impossible, refuse_unsaid
from fourcc.exporters.rope_factors import scaling_of
from fourcc.naming import split_name
from fourcc.plugins.registry import registry
from fourcc.sources import huggingface
from fourcc.sources.source import Source

CONFIG = "config.json"
KIND = "safetensors"
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
    "bos_token_id": "bos_token_id",
    "eos_token_id": "eos_token_id",
}
_DTYPES = {0: "float32", 1: "float16", 30: "bfloat16"}  # ggml's number of a dtype -> PyTorch's word
_QKV = frozenset({"attention.wq.bias", "attention.wk.bias", "attention.wv.bias"})
_QKVO = _QKV | {"attention.wo.bias"}
_NORMS = frozenset({"attention.q_norm", "attention.k_norm"})
_MLP = frozenset({"feed_forward.w1.bias", "feed_forward.w2.bias", "feed_forward.w3.bias"})
_MATRICES = frozenset(name.removesuffix(".bias") for name in _QKVO | _MLP) | {"attention_norm", "ffn_norm"}
_TOP = frozenset({"tok_embeddings", "norm", "output"})


@attrs.frozen
class ConfigFamily:
    """A family of models that transformers runs.

    Attributes:
        kind: its ``model_type``.
        name: its class.
        always: tensors that every layer has beside matrices and two norms.
        switched: tensors that every layer has where a key of the config is true: key -> tensors.
        windows: layers that may have a window: ``none``, ``all`` (and at least one), ``any``.
    """

    kind: str
    name: str
    always: frozenset[str]
    switched: Mapping[str, frozenset[str]]
    windows: str

    def switches(self, extra: frozenset[str]) -> dict[str, bool] | None:
        """The keys that ask for these tensors of a layer; None where the family cannot have them."""
        switches = {key: names <= extra for key, names in self.switched.items()}
        asked = self.always.union(*(names for key, names in self.switched.items() if switches[key]))
        return switches if asked == extra else None


FAMILIES = (  # the first that fits counts
    ConfigFamily("llama", "LlamaForCausalLM", frozenset(), {"attention_bias": _QKVO, "mlp_bias": _MLP}, "none"),
    ConfigFamily("mistral", "MistralForCausalLM", frozenset(), {}, "all"),
    ConfigFamily("qwen2", "Qwen2ForCausalLM", _QKV, {}, "any"),
    ConfigFamily("qwen3", "Qwen3ForCausalLM", _NORMS, {"attention_bias": _QKVO}, "any"),
)


def config(source: Source, steps: tuple[Step, ...]) -> bytes:
    """The bytes of the file.

    Raises:
        UsageError: no family has these tensors and this window, or the config cannot state a hyper-parameter.
    """
    refuse_heads(source, steps, KIND)
    refuse_impossible(source)
    names = {step.source.name for step in steps}
    window = _window(source)
    family, switches = _family(source, names, window)
    hyper = source.hyper
    fields: dict[str, object] = {"architectures": [family.name], "model_type": family.kind}
    fields |= {theirs: hyper[ours] for theirs, ours in _COUNTS.items() if ours in hyper}
    fields["hidden_act"] = hyper.get("hidden_act", "silu")
    fields["tie_word_embeddings"] = _tied(source, names)
    fields |= switches | _window_fields(source, family, window)
    scaling = scaling_of(source)
    if scaling:
        fields["rope_scaling"] = scaling
    fields["torch_dtype"] = _dtype(steps)
    data = (json.dumps(fields, indent=2) + "\n").encode()
    _refuse_unread(source, names, data)
    return data


def _tied(source: Source, names: set[str]) -> bool:
    """Whether the output matrix is the embedding, as the model says, else whether it has no tensor of its own."""
    return bool(source.hyper.get("tied_embeddings", "output" not in names))


def _window(source: Source) -> list[bool]:
    """Whether each layer has a window; empty: none has."""
    count, layers = source.hyper.get("n_layers"), source.hyper.get("sliding_window_layers")
    if "sliding_window" not in source.hyper or type(count) is not int:
        return []
    return [bool(each) for each in layers] if isinstance(layers, (list, tuple)) else [True] * min(count, 1 << 16)


def _family(source: Source, names: set[str], window: list[bool]) -> tuple[ConfigFamily, dict[str, bool]]:
    """The family that has the model's tensors and windows, and its config's keys for optional tensors."""
    extra = _extra(source, names)
    windows = "none" if not any(window) else "all" if all(window) else "some"
    for family in FAMILIES:
        switches = family.switches(extra)
        if switches is not None and family.windows in ("any", windows):
            return family, switches
    said = f"a window in {windows} of the layers" if any(window) else "no window"
    raise UsageError(
        f"no model_type that is known here has these optional tensors in each layer, and {said}",
        file=source.path,
        found=", ".join(sorted(extra)) or "none",
        expected=", ".join(family.kind for family in FAMILIES),
    )


def _extra(source: Source, names: set[str]) -> frozenset[str]:
    """Tensors that every layer has beside matrices and two norms; refuses one that only some layers have."""
    layers: dict[str, set[int]] = {}
    for name in sorted(names):
        template, number, ending = split_name(name)
        part = template.removeprefix("layers.*.") + ending
        known = name in _TOP if number is None else part in _MATRICES | _QKVO | _NORMS | _MLP
        if not known:
            raise UsageError("no model_type that is known here has this tensor", file=source.path, tensor=name)
        if number is not None:
            layers.setdefault(part, set()).add(number)
    every = set().union(*layers.values())
    for part, numbers in layers.items():
        if part not in _MATRICES and numbers != every:
            found = f"{part} in {len(numbers)} of {len(every)} layers"
            raise UsageError(
                "a tensor is in some layers only, which no model_type allows", file=source.path, found=found
            )
    return frozenset(layers) - _MATRICES


def _window_fields(source: Source, family: ConfigFamily, window: list[bool]) -> dict[str, object]:
    """The fields for how many positions an activation sees."""
    size = source.hyper.get("sliding_window")
    if family.windows == "none":
        return {}
    if family.windows == "all":
        return {"sliding_window": size}
    if not any(window):
        return {"use_sliding_window": False}
    words = ["sliding_attention" if each else "full_attention" for each in window]
    first = window.index(True)
    older = {"max_window_layers": first} if all(window[first:]) else {}
    return {"use_sliding_window": True, "sliding_window": size, **older, "layer_types": words}


def _refuse_unread(source: Source, names: set[str], data: bytes) -> None:
    """Refuses a config that fourcc itself would not read as this model."""
    try:
        read = huggingface.hyper_of(data, source.path, names)
    except SourceError as error:
        what = "a config.json cannot say what this model asks for"
        raise UsageError(
            f"{what}: {error.what}", file=source.path, found=error.found, expected=error.expected
        ) from error
    refuse_unsaid(source, read, KIND)


def _dtype(steps: tuple[Step, ...]) -> str:
    """The dtype of most weights."""
    weights = dict.fromkeys(_DTYPES.values(), 0)
    for step in steps:
        number = registry[step.decision.tag].foreign.get("ggml")
        if isinstance(number, int) and number in _DTYPES and len(step.source.shape) > 1:
            weights[_DTYPES[number]] += prod(step.source.shape)
    return max(weights, key=lambda word: weights[word])
