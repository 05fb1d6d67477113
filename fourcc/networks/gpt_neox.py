"""GPT-NeoX and Pythia: attention beside the feed-forward network, LayerNorms, heads that turn in part, biases.

Source: transformers' ``modeling_gpt_neox.py``.
"""

from __future__ import annotations

from fourcc.networks.decoder import (
    ATTENTION_MATRICES,
    COMMON,
    INFORMATION,
    NORMS,
    PARALLEL_STEPS,
    PLAIN,
    PRE_NORM,
    biases,
    contradictions,
    model,
    needed,
    optional,
    some,
)
from fourcc.networks.network import PARALLEL, Network, Tensor
from fourcc.networks.spellings.gpt_neox import SPELLING

GPT_NEOX = Network(
    name="gpt_neox",
    tensors=model(
        {
            **needed(NORMS, biases(NORMS), ATTENTION_MATRICES, PLAIN),
            **optional(biases(ATTENTION_MATRICES, PLAIN)),
        },
        **{"norm.bias": Tensor(("dim",))},
    ),
    keys={**COMMON, **some("hidden_act", PARALLEL)},
    information=INFORMATION,
    between=contradictions,
    steps=PRE_NORM,
    parallel=PARALLEL_STEPS,
    norm_kind="layer",
    spelling=SPELLING,
)
