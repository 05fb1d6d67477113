"""The keys of a ``config.json`` that change a model's numbers, by family.

The facts are those of transformers 5.24, whose class for a family heeds some keys and passes over all others. A key
that it heeds becomes a hyper-parameter, unless it states the default. A key that it passes over is noted, so one that
was meant to count does not vanish silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

import attrs

from fourcc.errors import SourceError, listed
from fourcc.naming import split_name
from fourcc.networks.scaling import ORIGINAL, SCALING, SCALINGS
from fourcc.sources.source import HyperParams, storable

NORMS_FLAG = "qk_norm"  # no key of a config: whether the family has norms of q and k, where the tensors contradict it
_DEFAULT_WINDOW, _DEFAULT_FULL_LAYERS = 4096, 28  # where a config does not say
_SHOWN = 4  # names in a note
_CAUSAL = "is_causal"  # heeded by every class: where it is false, a position attends to later ones, too
_LAYER_TYPES = {"full_attention": 0, "sliding_attention": 1}
# Read elsewhere, or here by name.
_READ = (
    "hidden_size intermediate_size num_hidden_layers num_attention_heads num_key_value_heads head_dim vocab_size "
    "max_position_embeddings rms_norm_eps hidden_act tie_word_embeddings rope_theta rope_scaling rope_parameters "
    "original_max_position_embeddings is_causal bos_token_id eos_token_id model_type architectures quantization_config"
)
# These change no number when a model is run.
_INERT = (
    "torch_dtype dtype transformers_version use_cache initializer_range attention_dropout pad_token_id sep_token_id "
    "cls_token_id _name_or_path name_or_path _commit_hash pretraining_tp output_attentions output_hidden_states "
    "return_dict use_return_dict id2label label2id num_labels problem_type is_encoder_decoder is_decoder "
    "chunk_size_feed_forward tokenizer_class task_specific_params _attn_implementation attn_implementation "
    "_attn_implementation_autoset _attn_implementation_internal _experts_implementation_internal torchscript "
    "temperature top_k top_p max_length min_length do_sample repetition_penalty num_beams unsloth_version"
)


class Config(Protocol):
    """The contents of a ``config.json``."""

    @property
    def fields(self) -> Mapping[str, Any]:
        """Its keys and values; null counts as absent."""

    def count(self, key: str, default: int | None = None) -> int:
        """A positive integer. Raises SourceError where it is none."""

    def refusal(self, key: str, found: object, expected: str) -> SourceError:
        """The error for a key whose value cannot be used."""


@attrs.frozen
class FamilyRules:
    """The keys that transformers' class of a family takes, beyond those that all classes take.

    Attributes:
        optional: tensors of a layer -> the key that says whether they are there; None: they always are.
        window: the keys of sliding windows that it heeds.
        other: keys that it heeds and that fourcc does not compute.
    """

    optional: Mapping[str, str | None]
    window: tuple[str, ...] = ()
    other: tuple[str, ...] = ("per_layer_config",)

    @property
    def normed(self) -> bool:
        """Whether its q and k always have norms, so a model without them would compute something else."""
        return any(self.optional.get(name, "") is None for name in _NORMS)


def norms_note(family: object) -> str:
    """The note on a model `without_norms`, which would run, but as another model."""
    return f"a {family} has norms of q and k in each layer, and here a layer lacks them"


def without_norms(names: Iterable[str]) -> bool:
    """Whether a layer has a matrix of q or k without its norm; names are in fourcc's spelling."""
    known = set(names)
    pairs = (("attention.wq", "attention.q_norm"), ("attention.wk", "attention.k_norm"))
    return any(
        name.removesuffix(matrix) + norm not in known
        for matrix, norm in pairs
        for name in known
        if name.endswith(matrix)
    )


_ATTENTION = {f"attention.{name}.bias": "attention_bias" for name in ("wq", "wk", "wv", "wo")}
_FEED_FORWARD = {f"feed_forward.{name}.bias": "mlp_bias" for name in ("w1", "w2", "w3")}
_NORMS = ("attention.q_norm", "attention.k_norm")
_LAYERED = ("use_sliding_window", "sliding_window", "max_window_layers", "layer_types")
# Tensor -> the key that says a model lacks it; where the file has the tensor all the same, the model is refused by it.
_FLAGS = {**_ATTENTION, **_FEED_FORWARD, **dict.fromkeys(_NORMS, NORMS_FLAG)}
FAMILIES = {
    "llama": FamilyRules({**_ATTENTION, **_FEED_FORWARD}),
    "mistral": FamilyRules({}, ("sliding_window", "layer_types")),  # with the latter it is read as a ministral
    "qwen2": FamilyRules(dict.fromkeys(("attention.wq.bias", "attention.wk.bias", "attention.wv.bias")), _LAYERED),
    "qwen3": FamilyRules({**_ATTENTION, **dict.fromkeys(_NORMS)}, _LAYERED),
}


def asked(config: Config, names: Iterable[str]) -> tuple[HyperParams, list[str]]:
    """The hyper-parameters that a config of a known family states beside its sizes, and notes.

    Args:
        config: its ``model_type`` is in `FAMILIES`.
        names: of the model's tensors, in fourcc's spelling.

    Raises:
        SourceError: a key has a value that cannot be.
    """
    family = FAMILIES[config.fields["model_type"]]
    lacking: dict[str, list[str]] = {}
    for key, name in sorted(_lacking(config, family, names)):
        lacking.setdefault(key, []).append(name)
    hyper: HyperParams = {**_activation(config), **_window(config, family), **dict.fromkeys(lacking, False)}
    for key in family.other:
        if config.fields.get(key) is not None:
            hyper[key] = config.fields[key] if storable(config.fields[key]) else str(config.fields[key])
    if not config.fields.get(_CAUSAL, True):  # null, too
        hyper[_CAUSAL] = False
    notes = [_denied(config, family, key, denied) for key, denied in lacking.items()]
    if family.normed and without_norms(names):
        hyper[NORMS_FLAG] = True
        notes.append(norms_note(config.fields["model_type"]))
    return hyper, [*notes, *_passed_over(config, family)]


def _denied(config: Config, family: FamilyRules, key: str, names: list[str]) -> str:
    """A note on tensors that the family's class would not have with this config."""
    kind = config.fields["model_type"]
    why = f"the config does not say {key} true" if key in family.optional.values() else f"a {kind} model has none such"
    return f"the file has {listed(names, _SHOWN)}, but {why}"


def _activation(config: Config) -> HyperParams:
    said = config.fields.get("hidden_act")
    return {} if said in (None, "silu", "swish") else {"hidden_act": str(said)}  # two names of one function


def _lacking(config: Config, family: FamilyRules, names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """The tensors that are there though the config says they are not: key, and the tensor's name."""
    for name in names:
        template, _, ending = split_name(name)
        part = template.removeprefix("layers.*.") + ending
        if part in _FLAGS and not _has(config, family, part):
            yield _FLAGS[part], name


def _has(config: Config, family: FamilyRules, part: str) -> bool:
    """Whether the family's class has an optional tensor, given this config."""
    if part not in family.optional:
        return False
    key = family.optional[part]
    return key is None or _flag(config, key)


def _flag(config: Config, key: str) -> bool:
    value = config.fields.get(key)
    if value is not None and not isinstance(value, bool):
        raise config.refusal(key, value, "true or false")
    return bool(value)


def _passed_over(config: Config, family: FamilyRules) -> Iterator[str]:
    """A note on keys that the family's class does not heed."""
    heeded = {*_READ.split(), *_INERT.split(), *family.window, *family.other, *filter(None, family.optional.values())}
    strange = [key for key, value in config.fields.items() if key not in heeded and value not in (None, False)]
    if strange:
        kind = config.fields["model_type"]
        yield f"keys of the config that a {kind} model does not heed are passed over: {', '.join(sorted(strange))}"


# -- windows


def _window(config: Config, family: FamilyRules) -> HyperParams:
    """The sliding window, and its layers where not all have it."""
    types = config.fields.get("layer_types") if family.window else None
    on = _flag(config, "use_sliding_window") if family.window is _LAYERED else bool(family.window)
    by_layer = family.window is _LAYERED or types is not None
    if not on or config.fields.get("sliding_window", _DEFAULT_WINDOW) is None:
        if by_layer and isinstance(types, list) and "sliding_attention" in types:
            raise config.refusal("layer_types", "sliding_attention", "full_attention, for there is no window")
        return {}
    layers = _windowed_layers(config) if by_layer else [1]
    window = config.count("sliding_window", _DEFAULT_WINDOW)
    unsaid = "sliding_window" not in config.fields and window >= config.count("max_position_embeddings")
    if unsaid or not any(layers):
        return {}
    return {"sliding_window": window, **({} if all(layers) else {"sliding_window_layers": list(layers)})}


def _windowed_layers(config: Config) -> list[int]:
    """For every layer 1 where it has the window, else 0."""
    layers = config.count("num_hidden_layers")
    types = config.fields.get("layer_types")
    if types is None:
        full = config.fields.get("max_window_layers", _DEFAULT_FULL_LAYERS)
        if type(full) is not int:
            raise config.refusal("max_window_layers", full, "an integer")
        return _by_number(layers, full)
    if not isinstance(types, list) or any(not isinstance(kind, str) or kind not in _LAYER_TYPES for kind in types):
        raise config.refusal("layer_types", types, f"a list of {' and '.join(_LAYER_TYPES)}")
    if len(types) != layers:
        raise config.refusal("layer_types", f"{len(types)} layers", f"{layers}, num_hidden_layers")
    return [_LAYER_TYPES[kind] for kind in types]


def _by_number(layers: int, full: int) -> list[int]:
    """1 for the layers from `full` on; an impossible number of layers is refused later, so the list stays short."""
    if full <= 0 or full >= layers:
        return [int(full <= 0)]
    return [int(layer >= full) for layer in range(min(layers, 1 << 16))]


# -- rotation


def rope(config: Config, seq_len: int) -> tuple[HyperParams, list[str]]:
    """Base and scaling of the rotation, and notes.

    Newer configs have one map of both, ``rope_parameters``; older ones ``rope_theta`` and ``rope_scaling``. Where both
    maps are there, transformers takes the older.

    Raises:
        SourceError: what is said cannot be.
    """
    older, newer = (_map(config, key) for key in ("rope_scaling", "rope_parameters"))
    values = dict(older or newer)
    differ = older and newer and older != newer
    notes = ["rope_scaling and rope_parameters differ: rope_scaling is taken"] if differ else []
    kind = values.pop("type", "default")
    kind = values.pop("rope_type", kind)
    if not isinstance(kind, str):
        raise config.refusal("rope_scaling", kind, "a kind by name")
    theta = values.pop("rope_theta", None)
    if kind == "llama3":
        values.setdefault(ORIGINAL, seq_len)
        values |= {key: config.fields[key] for key in (ORIGINAL,) if config.fields.get(key) is not None}
    if kind == "default":
        values.pop("partial_rotary_factor", None)
    if kind == "longrope" and _is_for_any_length(values):
        kind, values = "factors", {"factors": values["short_factor"]}
    heeded = {key: value for key, value in values.items() if _heeded(kind, key, value)}
    if ignored := sorted(set(values) - set(heeded)):
        notes.append(f"rope scaling {kind!r} does not heed {', '.join(ignored)}: passed over")
    hyper: HyperParams = {"rope_theta": _theta(config, theta)}
    if kind != "default":
        hyper[f"{SCALING}type"] = kind
    for key, value in heeded.items():
        if not storable(value):
            raise config.refusal(f"rope_scaling.{key}", value, "a number, a text or a list of these")
        hyper[f"{SCALING}{key}"] = value
    return hyper, notes


def _is_for_any_length(values: Mapping[str, Any]) -> bool:
    """Whether longrope's factors are equal for short and long texts, and attention is not scaled."""
    same = isinstance(values.get("short_factor"), list) and values["short_factor"] == values.get("long_factor")
    return same and values.get("attention_factor") == 1 and values.get("partial_rotary_factor", 1) == 1


def _heeded(kind: str, key: str, value: object) -> bool:
    """Whether a kind of scaling heeds a key; of an unknown kind, any key may count."""
    if value is None:
        return False
    if key == "partial_rotary_factor":
        return value != 1
    return kind not in SCALINGS or key in SCALINGS[kind].words


def _map(config: Config, key: str) -> dict[str, Any]:
    value = config.fields.get(key)
    if value is not None and not isinstance(value, dict):
        raise config.refusal(key, value, "a map")
    return value or {}


def _theta(config: Config, within: object) -> float:
    value: Any = config.fields.get("rope_theta") if within is None else within
    value = 10000.0 if value is None else value
    if type(value) not in (int, float) or not 0 < value < 1e300:
        raise config.refusal("rope_theta", value, "a positive number")
    return float(value)
