"""How files state StarCoder2: LayerNorms, biases, a feed-forward network without gate, a window in all layers."""

from __future__ import annotations

from fourcc.networks.hyper import Hyper
from fourcc.networks.spelling import ConfigClass, Found, GgufArchitecture, Spelling
from fourcc.networks.spellings.common import ALWAYS, QKVO_BIASES, SIZES, activation, layer_norm


def _implied(hyper: Hyper) -> Found:  # noqa: ARG001 - as any architecture
    return {"hidden_act": "gelu_tanh"}


def _unloadable(hyper: Hyper, names: frozenset[str]) -> str | None:  # noqa: ARG001 - as any architecture
    biased = any(name.endswith("attention.wo.bias") for name in names)
    return None if biased else "its starcoder2 has biases"


SPELLING = Spelling(
    classes=(
        ConfigClass(
            model_type="starcoder2",
            name="Starcoder2ForCausalLM",
            optional=dict.fromkeys((*QKVO_BIASES, "feed_forward.w2.bias", "feed_forward.w3.bias"), "use_bias"),
            switches=frozenset({"use_bias"}),
            window=ALWAYS,
            passed=("residual_dropout", "embedding_dropout", "mlp_type", "norm_type", "layer_norm_epsilon"),
        ),
    ),
    gguf=(
        GgufArchitecture(
            name="starcoder2",
            halves=True,
            implied=_implied,
            unheeded=("sliding_window", "hidden_act"),
            unloadable=_unloadable,
        ),
    ),
    words=(*SIZES, layer_norm("norm_epsilon"), activation("gelu_tanh")),
    names={
        "layers.*.feed_forward.w3": ("model.layers.*.mlp.c_fc", "blk.*.ffn_up"),
        "layers.*.feed_forward.w2": ("model.layers.*.mlp.c_proj", "blk.*.ffn_down"),
    },
)
