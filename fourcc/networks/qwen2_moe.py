"""Qwen2-MoE: experts beside one that all activations go through, times the sigmoid of a score; some layers have none.

Routing as in transformers' ``modeling_qwen2_moe``: the softmax of all scores; the shares of the chosen are divided by
their sum only where the model says so.
"""

from __future__ import annotations

from fourcc.networks.decoder import (
    ATTENTION_MATRICES,
    COMMON,
    EXPERT_SIZES,
    EXPERTS,
    GATED,
    INFORMATION,
    NORMS,
    PRE_NORM_EXPERTS,
    SHARED,
    WINDOW,
    biases,
    contradictions_of_experts,
    in_layers,
    in_other_layers,
    model,
    needed,
    optional,
    some,
)
from fourcc.networks.hyper import count, text
from fourcc.networks.network import Network
from fourcc.networks.spellings.experts import QWEN2_MOE as SPELLING

QWEN2_MOE = Network(
    name="qwen2_moe",
    tensors=model(
        {
            **needed(NORMS, ATTENTION_MATRICES),
            **optional(biases(ATTENTION_MATRICES)),
            **in_other_layers("expert_layers", GATED),
            **in_layers("expert_layers", EXPERTS, SHARED),
        }
    ),
    keys={
        **COMMON,
        **WINDOW,
        **EXPERT_SIZES,
        **some("hidden_act", "expert_layers", "expert_weights_normalized"),
        "shared_hidden_dim": count(needed=True),
        "expert_scores": text("softmax"),
    },
    information=INFORMATION,
    between=contradictions_of_experts,
    steps=PRE_NORM_EXPERTS,
    spelling=SPELLING,
)
