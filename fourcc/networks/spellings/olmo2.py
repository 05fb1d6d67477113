"""How files state OLMo 2: norms stand behind attention and feed-forward network, and over all heads of q and k."""

from __future__ import annotations

from fourcc.networks.spelling import ConfigClass, GgufArchitecture, Spelling
from fourcc.networks.spellings.common import HEAD_NORMS, QKVO_BIASES, RMS, SIZES, activation

SPELLING = Spelling(
    classes=(
        ConfigClass(
            model_type="olmo2",
            name="Olmo2ForCausalLM",
            optional={**dict.fromkeys(QKVO_BIASES, "attention_bias"), **dict.fromkeys(HEAD_NORMS)},
        ),
    ),
    gguf=(GgufArchitecture(name="olmo2", halves=True, unheeded=("hidden_act",)),),
    words=(*SIZES, RMS, activation()),
    names={
        "layers.*.attention_post_norm": ("model.layers.*.post_attention_layernorm", "blk.*.post_attention_norm"),
        "layers.*.ffn_post_norm": ("model.layers.*.post_feedforward_layernorm", "blk.*.post_ffw_norm"),
    },
)
