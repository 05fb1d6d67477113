"""SmolLM3: a Llama in which some layers do not rotate queries and keys.

Source: transformers' ``modeling_smollm3.py``.
"""

from __future__ import annotations

from fourcc.networks.decoder import (
    ATTENTION_MATRICES,
    COMMON,
    GATED,
    INFORMATION,
    NORMS,
    PRE_NORM,
    WINDOW,
    biases,
    contradictions,
    model,
    needed,
    optional,
    some,
)
from fourcc.networks.network import Network
from fourcc.networks.spellings.smollm3 import SPELLING

SMOLLM3 = Network(
    name="smollm3",
    tensors=model({**needed(NORMS, ATTENTION_MATRICES, GATED), **optional(biases(ATTENTION_MATRICES, GATED))}),
    keys={**COMMON, **WINDOW, **some("hidden_act", "rope_layers")},
    information=INFORMATION,
    between=contradictions,
    steps=PRE_NORM,
    spelling=SPELLING,
)
