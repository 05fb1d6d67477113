"""Keys of a GGUF file of a known family that `gguf_family` has no word for: windows, and keys that may change results.

A key is passed over where its value is known to change nothing. Any other is kept under its own name, without the
architecture's prefix; the network, which does not know it, refuses the model by that name.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from math import inf

from fourcc.container.index import Scalar
from fourcc.networks.spelling import GgufArchitecture
from fourcc.sources.gguf_values import Value
from fourcc.sources.source import Hyper, HyperParams, storable

WINDOW, PATTERN = "attention.sliding_window", "attention.sliding_window_pattern"
SCALING_INERT = ("finetuned",)  # of rope.scaling.*
LEGACY_FACTOR = "rope.scale_linear"  # counts where rope.scaling.factor is not there
LOCAL = "rope.freq_base_swa"  # base of the rotation in layers with the window
TURNED = "rope.dimension_count"
TURNED_LAYERS = "attention.rope_pattern"  # for each layer whether it rotates
_LONGEST = 1 << 16  # items of an array that is kept

_OF_HEADS = ("attention.value_length", TURNED)  # follow from the width of heads, where that is known
_POSITIVE = ("rope.freq_base", LOCAL)  # read elsewhere, where they are positive numbers
# Read elsewhere; or they belong to another kind of norm or of scaling than the model's, or tell who made the file.
_PASSED = (
    PATTERN,
    LEGACY_FACTOR,
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.finetuned",
    "rope.scaling.yarn_log_multiplier",
    "rope.scaling.yarn_beta_fast",
    "rope.scaling.yarn_beta_slow",
    "rope.scaling.yarn_ext_factor",
    "rope.scaling.yarn_attn_factor",
    "rope.scaling.yarn_truncate",
    "attention.layer_norm_epsilon",
    "attention.layer_norm_rms_epsilon",
    "tensor_data_layout",
)
# Key -> the values that change nothing.
_NONE = (0, 1)
_NEUTRAL: dict[str, tuple[object, ...]] = {
    "expert_count": (0,),
    "expert_used_count": (0,),
    "attention.causal": (True,),
    "attention.clamp_kqv": (0,),
    "attention.max_alibi_bias": (0,),
    "attention.scale": (0,),
    "use_parallel_residual": (False,),
    "logit_scale": _NONE,
    "embedding_scale": _NONE,
    "residual_scale": _NONE,
    "attn_logit_softcapping": (0,),
    "final_logit_softcapping": (0,),
    "rope.scaling.attn_factor": _NONE,
}


def window(given: Mapping[str, Value], hyper: Hyper, architecture: GgufArchitecture) -> HyperParams:
    """The sliding window, and its layers where not all have it.

    A pattern n says that every n-th layer has none; a list says of each layer whether it has the window.
    """
    size, layers = _single(given.get(WINDOW, architecture.window)), hyper.get("n_layers")
    pattern = given.get(PATTERN, architecture.pattern)
    if type(size) is not int or size < 1:
        return {}
    if pattern is None or pattern == 0:
        return {"sliding_window": size}
    if type(pattern) is int and pattern > 0 and type(layers) is int:
        heeding = [int(layer % pattern < pattern - 1) for layer in range(min(layers, _LONGEST))]
    elif isinstance(pattern, (list, array)):
        heeding = [int(bool(item)) for item in pattern[:_LONGEST]]
    else:
        return {"sliding_window": size, PATTERN: _kept(pattern)}
    if not any(heeding):
        return {}
    return {"sliding_window": size, **({} if all(heeding) else {"sliding_window_layers": list(heeding)})}


def turned_layers(given: Mapping[str, Value]) -> HyperParams:
    """For each layer 1 if it rotates, else 0, where a key says so."""
    flags = given.get(TURNED_LAYERS)
    if not isinstance(flags, (list, array)):
        return {}
    return {"rope_layers": [int(bool(flag)) for flag in flags[:_LONGEST]]}


def others(given: Mapping[str, Value], hyper: Hyper, words: Mapping[str, str]) -> HyperParams:
    """The keys that the hyper-parameters do not already express, under their own names.

    Args:
        given: keys without the architecture's name.
        hyper: the hyper-parameters.
        words: keys that have one -> its word.
    """
    return {key: _kept(value) for key, value in given.items() if not _is_told(key, value, hyper, words)}


def _is_told(key: str, value: Value, hyper: Hyper, words: Mapping[str, str]) -> bool:
    """Whether a key adds nothing to the hyper-parameters."""
    one = _single(value)
    if key in words and _is_read(one, hyper.get(words[key])):
        return True
    if key in _OF_HEADS:
        width = hyper.get("rope_dim", hyper.get("head_dim")) if key == TURNED else hyper.get("head_dim")
        return width is None or (type(one) is int and one == width)
    if key in _POSITIVE:
        return isinstance(value, float) and 0 < value < inf
    if key == WINDOW:
        return type(one) is int and one >= 0
    if key == TURNED_LAYERS:
        return isinstance(value, (list, array))
    return key in _PASSED or value in _NEUTRAL.get(key, ())


def _is_read(value: Value, hyper: object) -> bool:
    """Whether a key became a hyper-parameter: counts are equal to it, other values may be in other words there."""
    if hyper is None:
        return False
    return value == hyper if type(value) is int else isinstance(value, (bool, str)) or _is_positive(value)


def _is_positive(value: Value) -> bool:
    return isinstance(value, float) and 0 < value < inf


def _single(value: Value) -> Value:
    """The item of an array whose items are all equal; any other value as it is."""
    return value[0] if isinstance(value, array) and len(set(value)) == 1 else value


def _kept(value: Value) -> Scalar | list[Scalar]:
    """A value as a hyper-parameter; a description of a value that the index cannot hold."""
    plain = list(value) if isinstance(value, array) else value
    if isinstance(plain, list) and len(plain) > _LONGEST:
        return f"an array of {len(plain)}"
    return plain if storable(plain) else str(type(plain).__name__)
