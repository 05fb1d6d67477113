"""StarCoder2: LayerNorms, a feed-forward network without gate, biases, a window.

Source: transformers' ``modeling_starcoder2.py``.
"""

from __future__ import annotations

from fourcc.networks.decoder import (
    ATTENTION_MATRICES,
    COMMON,
    INFORMATION,
    NORMS,
    PLAIN,
    PRE_NORM,
    WINDOW,
    biases,
    contradictions,
    model,
    needed,
    optional,
    some,
)
from fourcc.networks.network import Network, Tensor
from fourcc.networks.spellings.starcoder2 import SPELLING

STARCODER2 = Network(
    name="starcoder2",
    tensors=model(
        {
            **needed(NORMS, biases(NORMS), ATTENTION_MATRICES, PLAIN),
            **optional(biases(ATTENTION_MATRICES, PLAIN)),
        },
        **{"norm.bias": Tensor(("dim",))},
    ),
    keys={**COMMON, **WINDOW, **some("hidden_act")},
    information=INFORMATION,
    between=contradictions,
    steps=PRE_NORM,
    norm_kind="layer",
    spelling=SPELLING,
)
