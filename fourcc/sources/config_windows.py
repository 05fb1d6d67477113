"""The sliding window of a ``config.json``, and which layers have it, as the family's class of transformers reads it."""

from __future__ import annotations

from fourcc.networks.spelling import WindowWords
from fourcc.sources.config_json import ConfigJson
from fourcc.sources.source import Hyper, HyperParams

_LAYER_TYPES = {"full_attention": 0, "sliding_attention": 1}


def window_of(config: ConfigJson, window: WindowWords | None, hyper: Hyper) -> HyperParams:
    """The window, and its layers where not all have it.

    Args:
        config: of a class that is known here.
        window: how the class states it; None: it has none.
        hyper: the sizes.

    Raises:
        SourceError: a key has a value that cannot be.
    """
    if window is None:
        return {}
    types = config.fields.get("layer_types") if window.types else None
    on = not window.switch or config.flag("use_sliding_window")
    if not on or config.fields.get("sliding_window", window.size) is None:
        if isinstance(types, list) and "sliding_attention" in types and (window.layers is not None or types):
            raise config.refusal("layer_types", "sliding_attention", "full_attention, for there is no window")
        return {}
    layers = _layers(config, window, types, int(str(hyper["n_layers"])))
    size = config.count("sliding_window", window.size)
    if not any(layers) or _is_beyond(config, window, size, int(str(hyper["seq_len"]))):
        return {}
    return {"sliding_window": size, **({} if all(layers) else {"sliding_window_layers": list(layers)})}


def _is_beyond(config: ConfigJson, window: WindowWords, size: int, longest: int) -> bool:
    """Whether a window that is not stated is longer than the context, so that it cuts nothing."""
    pattern = window.layers is not None and not window.switch  # then other facts follow from the layers that have it
    return "sliding_window" not in config.fields and not pattern and size >= longest


def _layers(config: ConfigJson, window: WindowWords, types: object, count: int) -> list[int]:
    """For every layer 1 where it has the window, else 0; a single 1 where all have it."""
    if types is None and window.layers is None:
        return [1]
    if types is None:
        assert window.layers is not None
        return window.layers(config, count)
    if not isinstance(types, list) or any(not isinstance(kind, str) or kind not in _LAYER_TYPES for kind in types):
        raise config.refusal("layer_types", types, f"a list of {' and '.join(_LAYER_TYPES)}")
    if len(types) != count:
        raise config.refusal("layer_types", f"{len(types)} layers", f"{count}, num_hidden_layers")
    return [_LAYER_TYPES[kind] for kind in types]
