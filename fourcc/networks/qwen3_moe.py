"""Qwen3-MoE: norms of heads, and experts in all layers or in some.

Routing as in transformers' ``modeling_qwen3_moe``: the softmax of all scores; the shares of the chosen are divided by
their sum only where the model says so.
"""

from __future__ import annotations

from fourcc.networks.decoder import (
    ATTENTION_MATRICES,
    COMMON,
    EXPERT_SIZES,
    EXPERTS,
    GATED,
    HEAD_NORMS,
    INFORMATION,
    NORMS,
    PRE_NORM_EXPERTS,
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
from fourcc.networks.hyper import text
from fourcc.networks.network import Network
from fourcc.networks.spellings.experts import QWEN3_MOE as SPELLING

QWEN3_MOE = Network(
    name="qwen3_moe",
    tensors=model(
        {
            **needed(NORMS, ATTENTION_MATRICES),
            **optional(HEAD_NORMS, biases(ATTENTION_MATRICES)),
            **in_other_layers("expert_layers", GATED),
            **in_layers("expert_layers", EXPERTS),
        }
    ),
    keys={
        **COMMON,
        **WINDOW,
        **EXPERT_SIZES,
        **some("hidden_act", "expert_layers", "expert_weights_normalized"),
        "expert_scores": text("softmax"),
    },
    information=INFORMATION,
    between=contradictions_of_experts,
    steps=PRE_NORM_EXPERTS,
    spelling=SPELLING,
)
