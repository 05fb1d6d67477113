"""Mixtral: the Llama family with experts in every layer, whose shares add up to 1.

Routing as in transformers' ``modeling_mixtral``: the softmax of all scores, the highest of them, divided by their sum.
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
    some,
)
from fourcc.networks.hyper import text
from fourcc.networks.network import Network
from fourcc.networks.spellings.experts import MIXTRAL as SPELLING

MIXTRAL = Network(
    name="mixtral",
    tensors=model({**needed(NORMS, ATTENTION_MATRICES, EXPERTS), **optional(biases(ATTENTION_MATRICES))}),
    keys={
        **ONLY_EXPERTS,
        **WINDOW,
        **some("hidden_act", "expert_weights_normalized"),
        "expert_scores": text("softmax"),
    },
    information=BESIDE_EXPERTS,
    between=contradictions_of_experts,
    steps=PRE_NORM_EXPERTS,
    spelling=SPELLING,
)
