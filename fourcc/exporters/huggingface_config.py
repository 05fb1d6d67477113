"""The ``config.json`` of a model of a family that is known here, from its hyper-parameters and its tensors' names."""

from __future__ import annotations

import json
from math import prod

from fourcc.conversion.pipeline import Step
from fourcc.errors import SourceError, UsageError
from fourcc.exporters.refusals import refuse_heads, refuse_impossible, refuse_unsaid
from fourcc.exporters.rope_factors import scaling_of
from fourcc.naming import split_name
from fourcc.networks import NETWORKS
from fourcc.networks.network import Network
from fourcc.networks.scaling import ORIGINAL
from fourcc.networks.spelling import ConfigClass, Word
from fourcc.plugins.registry import registry
from fourcc.sources import huggingface
from fourcc.sources.config_rotation import LOCAL_KEY, MAPS
from fourcc.sources.family_names import spelling_of
from fourcc.sources.source import Source

CONFIG = "config.json"
KIND = "safetensors"
_TOKENS = ("bos_token_id", "eos_token_id")
_DTYPES = {0: "float32", 1: "float16", 30: "bfloat16"}  # ggml's number of a dtype -> PyTorch's word
_NONE, _SOME, _ALL = "no layer", "some layers", "all layers"


def config(source: Source, steps: tuple[Step, ...]) -> bytes:
    """The bytes of the file.

    Raises:
        UsageError: no class has these tensors and this window, or the config cannot state a hyper-parameter.
    """
    refuse_heads(source, steps, KIND)
    refuse_impossible(source)
    network = NETWORKS[source.architecture or ""]
    names = {step.source.name for step in steps}
    window = _window(source)
    known, switches = _class(source, network, names, window)
    fields: dict[str, object] = {"architectures": [known.name], "model_type": known.model_type}
    fields |= _words(source, network, known)
    fields |= {name: source.hyper[name] for name in _TOKENS if name in source.hyper}
    fields["pad_token_id"] = None  # else some classes take one that the vocabulary may lack
    fields["tie_word_embeddings"] = _tied(source, names)
    fields |= {**switches, **_window_fields(source, known, window), **_rotation(source, known)}
    fields |= known.write_more(source.hyper)
    fields["torch_dtype"] = _dtype(steps)
    data = (json.dumps(fields, indent=2) + "\n").encode()
    _refuse_unread(source, names, data)
    return data


def _words(source: Source, network: Network, known: ConfigClass) -> dict[str, object]:
    """The fields of the class's words; a model that does not have what they state says so, where null can."""
    fields: dict[str, object] = {}
    for word in spelling_of(network).words_of(known):
        if word.hugging_face is None:
            continue
        value = source.hyper.get(word.hyper, _silent(word))
        if value is not None:
            fields[word.hugging_face] = word.write(value)
        elif word.nullable and word.hugging_face not in fields:
            fields[word.hugging_face] = None
    return fields


def _silent(word: Word) -> object:
    """The value of a model that does not state it."""
    return "silu" if word.hyper == "hidden_act" else None


def _tied(source: Source, names: set[str]) -> bool:
    """Whether the output matrix is the embedding, as the model says, else whether it has no tensor of its own."""
    return bool(source.hyper.get("tied_embeddings", "output" not in names))


# -- the class


def _class(
    source: Source, network: Network, names: set[str], window: list[bool]
) -> tuple[ConfigClass, dict[str, bool]]:
    """The class that has the model's tensors and windows, and its config's keys for optional tensors."""
    classes = spelling_of(network).classes
    extra = _extra(source, network, names)
    windows = _NONE if not any(window) else _ALL if all(window) else _SOME
    for known in classes:
        switches = _switches(network, known, extra)
        if switches is not None and windows in _windows(known):
            return known, switches
    said = f"a window in {windows.split()[0]} of the layers" if any(window) else "no window"
    raise UsageError(
        f"no model_type that is known here has these optional tensors in each layer, and {said}",
        file=source.path,
        found=", ".join(sorted(extra)) or "none",
        expected=", ".join(known.model_type for known in classes),
    )


def _windows(known: ConfigClass) -> tuple[str, ...]:
    """How many layers may have a window in a class."""
    if known.window is None:
        return (_NONE,)
    if not known.window.some:
        return (_ALL,)
    return (_NONE, _ALL, _SOME) if known.window.types or known.window.layers else (_NONE, _ALL)


def _switches(network: Network, known: ConfigClass, extra: frozenset[str]) -> dict[str, bool] | None:
    """The keys that ask for these tensors of a layer; None where the class cannot have them."""
    by_key: dict[str | None, set[str]] = {}
    for name, key in known.optional.items():
        declared = network.tensor(f"layers.0.{name}")
        if declared is not None and not declared.needed:
            by_key.setdefault(key, set()).add(name)
    always = by_key.pop(None, set())
    switches = {str(key): names <= extra for key, names in by_key.items()}
    asked = always.union(*(names for key, names in by_key.items() if switches[str(key)]))
    return switches if asked == extra else None


def _extra(source: Source, network: Network, names: set[str]) -> frozenset[str]:
    """Optional tensors that every layer has; refuses one that only some layers have."""
    layers: dict[str, set[int]] = {}
    for name in sorted(names):
        template, number, ending = split_name(name)
        declared = network.tensor(name)
        if declared is None:
            raise UsageError("no model_type that is known here has this tensor", file=source.path, tensor=name)
        if number is not None and not declared.needed and declared.flagged is None and declared.unflagged is None:
            layers.setdefault(template.removeprefix("layers.*.") + ending, set()).add(number)
    every = {number for name in names if (number := split_name(name)[1]) is not None}
    for part, numbers in layers.items():
        if numbers != every:
            found = f"{part} in {len(numbers)} of {len(every)} layers"
            raise UsageError(
                "a tensor is in some layers only, which no model_type allows", file=source.path, found=found
            )
    return frozenset(layers)


# -- windows


def _window(source: Source) -> list[bool]:
    """Whether each layer has a window; empty: none has."""
    count, layers = source.hyper.get("n_layers"), source.hyper.get("sliding_window_layers")
    if "sliding_window" not in source.hyper or type(count) is not int:
        return []
    return [bool(each) for each in layers] if isinstance(layers, (list, tuple)) else [True] * min(count, 1 << 16)


def _window_fields(source: Source, known: ConfigClass, window: list[bool]) -> dict[str, object]:
    """The fields for how many positions an activation sees."""
    size, stated = source.hyper.get("sliding_window"), known.window
    if stated is None:
        return {}
    switch: dict[str, object] = {"use_sliding_window": any(window)} if stated.switch else {}
    if not any(window):
        return switch or {"sliding_window": None}
    if stated.layers is None:
        return {**switch, "sliding_window": size}
    words = ["sliding_attention" if each else "full_attention" for each in window]
    first = window.index(True)
    older = {"max_window_layers": first} if "max_window_layers" in stated.keys and all(window[first:]) else {}
    return {**switch, "sliding_window": size, **older, "layer_types": words}


# -- rotation


def _rotation(source: Source, known: ConfigClass) -> dict[str, object]:
    """Base, scaling and columns of the rotation."""
    if known.turning is None:
        return {}
    hyper, turning = source.hyper, known.turning
    fields: dict[str, object] = {turning.theta_key: hyper.get("rope_theta")}
    if turning.local is not None:
        fields[LOCAL_KEY] = hyper.get("rope_local_theta", turning.local)
    turned, head = hyper.get("rope_dim", hyper.get("head_dim")), hyper.get("head_dim")
    partial = isinstance(turned, int) and isinstance(head, int) and (turning.partial is not None or turned != head)
    if partial and head:
        fields[turning.partial_key] = turned / head  # type: ignore[operator]  # integers, as was asked
    scaling = scaling_of(source)
    if turning.original is not None and ORIGINAL in scaling:
        fields[ORIGINAL] = scaling[ORIGINAL]  # which counts before the one in the map
    if scaling:
        fields[MAPS[0]] = scaling
    elif turning.scaling:
        fields[MAPS[0]] = {"rope_type": "default"}
    return fields


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
