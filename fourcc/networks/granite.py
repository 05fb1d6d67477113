"""Granite: a Llama with factors of embeddings, of scores, of what is added to the residual stream, and of logits.

Source: transformers' ``modeling_granite.py``.
"""

from __future__ import annotations

from fourcc.networks.decoder import (
    ATTENTION_MATRICES,
    COMMON,
    GATED,
    INFORMATION,
    NORMS,
    PRE_NORM,
    biases,
    contradictions,
    model,
    needed,
    optional,
    some,
)
from fourcc.networks.network import Network
from fourcc.networks.spellings.granite import SPELLING

GRANITE = Network(
    name="granite",
    tensors=model({**needed(NORMS, ATTENTION_MATRICES, GATED), **optional(biases(ATTENTION_MATRICES, GATED))}),
    keys={
        **COMMON,
        **some("hidden_act", "attention_scale", "embedding_scale", "residual_scale", "output_scale"),
    },
    information=INFORMATION,
    between=contradictions,
    steps=PRE_NORM,
    spelling=SPELLING,
)
