"""OLMo 2: what attention and the feed-forward network add is normalized, not what they take.

Queries and keys are normalized too, all heads together. Source: transformers' ``modeling_olmo2.py``.
"""

from __future__ import annotations

from fourcc.networks.decoder import (
    ATTENTION_MATRICES,
    COMMON,
    GATED,
    INFORMATION,
    KV,
    POST_NORMS,
    Q,
    biases,
    contradictions,
    model,
    needed,
    optional,
    some,
)
from fourcc.networks.network import Network
from fourcc.networks.spellings.olmo2 import SPELLING
from fourcc.networks.steps import QKV, Add, Attend, FeedForward, Multiply, Norm

_WHOLE_NORMS = {"attention.q_norm": (Q,), "attention.k_norm": (KV,)}

OLMO2 = Network(
    name="olmo2",
    tensors=model(
        {**needed(ATTENTION_MATRICES, _WHOLE_NORMS, GATED, POST_NORMS), **optional(biases(ATTENTION_MATRICES))}
    ),
    keys={**COMMON, **some("hidden_act")},
    information=INFORMATION,
    between=contradictions,
    steps=(
        Multiply(QKV.outputs, "x"),
        Norm("attention.q_norm", "q", "q"),
        Norm("attention.k_norm", "k", "k"),
        Attend(),
        Multiply((("attention.wo", "added"),), "attended"),
        Norm("attention_post_norm", "added", "added"),
        Add(),
        FeedForward(source="x"),
        Norm("ffn_post_norm", "added", "added"),
        Add(),
    ),
    spelling=SPELLING,
)
