"""GPT-2: embeddings of positions instead of a rotation, LayerNorms, a feed-forward network without gate, biases.

Source: transformers' ``modeling_gpt2.py``.
"""

from __future__ import annotations

from fourcc.networks.decoder import (
    ATTENTION_MATRICES,
    INFORMATION,
    NORMS,
    PLAIN,
    PRE_NORM,
    UNROTATED,
    biases,
    contradictions,
    model,
    needed,
    optional,
    some,
)
from fourcc.networks.network import Network, Tensor
from fourcc.networks.spellings.gpt2 import SPELLING

GPT2 = Network(
    name="gpt2",
    tensors=model(
        {
            **needed(NORMS, biases(NORMS), ATTENTION_MATRICES, PLAIN),
            **optional(biases(ATTENTION_MATRICES, PLAIN)),
        },
        **{"norm.bias": Tensor(("dim",)), "position_embeddings": Tensor(("seq_len", "dim"))},
    ),
    keys={**UNROTATED, **some("hidden_act")},
    information=INFORMATION,
    between=contradictions,
    steps=PRE_NORM,
    norm_kind="layer",
    spelling=SPELLING,
)
