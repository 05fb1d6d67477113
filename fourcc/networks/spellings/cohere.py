"""How files state Cohere's Command-R (`COHERE`) and Command-R7B (`COHERE2`): parallel, LayerNorms without biases.

Both projects turn neighbouring rows. In Command-R7B three of four layers have a window, and only those turn.
"""

from __future__ import annotations

from fourcc.networks.hyper import Hyper
from fourcc.networks.spelling import Config, ConfigClass, Found, GgufArchitecture, RotationWords, Spelling, WindowWords
from fourcc.networks.spellings.common import (
    HEAD_NORMS,
    QKVO_BIASES,
    SIZES,
    WIDTH_FOLLOWS,
    activation,
    every,
    layer_norm,
    scale,
)

_LOGITS = scale("output_scale", "logit_scale", "logit_scale", 0.0625)
_BIASES = dict.fromkeys(QKVO_BIASES, "attention_bias")


def _windows_turn(config: Config, hyper: Hyper) -> Found:  # noqa: ARG001 - as any class
    layers = hyper.get("sliding_window_layers")
    if "sliding_window" not in hyper:  # a layer without a window does not turn
        return {"rope_layers": [0] * min(int(str(hyper["n_layers"])), 1 << 16)}
    return {} if layers is None else {"rope_layers": layers}


_LARGE = 64  # layers of a Command R+


def _unloadable(hyper: Hyper, names: frozenset[str]) -> str | None:
    normed, large = any(name.endswith("q_norm") for name in names), int(str(hyper.get("n_layers", 0))) >= _LARGE
    return None if normed == large else f"its command-r has norms of q and k from {_LARGE} layers on, and only there"


def _implied(hyper: Hyper) -> Found:
    layers = hyper.get("sliding_window_layers")
    return {} if layers is None else {"rope_layers": layers}


COHERE = Spelling(
    classes=(
        ConfigClass(
            model_type="cohere",
            name="CohereForCausalLM",
            optional={**_BIASES, **dict.fromkeys(HEAD_NORMS, "use_qk_norm")},
            turning=RotationWords(500000.0),
            passed=("model_max_length", "layer_norm_bias"),
        ),
    ),
    gguf=(GgufArchitecture(name="command-r", halves=False, unheeded=("hidden_act",), unloadable=_unloadable),),
    words=(*SIZES, layer_norm(), activation(), _LOGITS),
    halves=False,
)
COHERE2 = Spelling(
    classes=(
        ConfigClass(
            model_type="cohere2",
            name="Cohere2ForCausalLM",
            words=(WIDTH_FOLLOWS,),
            optional=_BIASES,
            window=WindowWords(4096, layers=every(4, "sliding_window_pattern"), keys=("sliding_window_pattern",)),
            turning=RotationWords(),
            more=_windows_turn,
            passed=(
                *("cache_implementation", "order_of_interleaved_layers", "position_embedding_type", "rotary_pct"),
                *("use_embedding_sharing", "use_gated_activation", "use_parallel_block", "use_parallel_embedding"),
                *("layer_switch", "head_dim"),  # its heads share the width of the embedding, whatever is stated
            ),
        ),
    ),
    gguf=(
        GgufArchitecture(
            name="cohere2", halves=False, implied=_implied, unheeded=("hidden_act", "rope_layers"), pattern=4
        ),
    ),
    words=(*SIZES, layer_norm(), activation(), _LOGITS),
    halves=False,
)
