"""gpt-oss: experts with biases and a clamped gate, attention with sinks, every other layer with a window.

As in transformers' ``modeling_gpt_oss``: shares are the softmax of the chosen scores; each head has a score without a
position that takes part in the softmax of attention.
"""

from __future__ import annotations

from fourcc.networks.decoder import (
    ATTENTION_MATRICES,
    BESIDE_EXPERTS,
    EXPERTS,
    NORMS,
    ONLY_EXPERTS,
    PRE_NORM_EXPERTS,
    WINDOW,
    biases,
    contradictions_of_experts,
    model,
    needed,
    optional,
)
from fourcc.networks.hyper import SMALLEST, number, text
from fourcc.networks.network import Network
from fourcc.networks.spellings.experts import GPT_OSS as SPELLING

GPT_OSS = Network(
    name="gpt_oss",
    tensors=model(
        {
            **needed(NORMS, ATTENTION_MATRICES, EXPERTS, biases(EXPERTS), {"attention.sinks": ("n_heads",)}),
            **optional(biases(ATTENTION_MATRICES)),
        }
    ),
    keys={
        **ONLY_EXPERTS,
        **WINDOW,
        "hidden_act": text("silu"),
        "expert_scores": text("softmax_of_chosen", needed=True),
        "gate_limit": number(SMALLEST, needed=True),
        "gate_alpha": number(SMALLEST, needed=True),
    },
    information=BESIDE_EXPERTS,
    between=contradictions_of_experts,
    steps=PRE_NORM_EXPERTS,
    spelling=SPELLING,
)
