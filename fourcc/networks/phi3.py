"""Phi-3 and Phi-4: a Llama without biases, whose heads may turn in part, and by longrope's factors.

Source: transformers' ``modeling_phi3.py``.
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
    contradictions,
    model,
    needed,
    some,
)
from fourcc.networks.network import Network
from fourcc.networks.spellings.phi3 import SPELLING

PHI3 = Network(
    name="phi3",
    tensors=model(needed(NORMS, ATTENTION_MATRICES, GATED)),
    keys={**COMMON, **WINDOW, **some("hidden_act")},
    information=INFORMATION,
    between=contradictions,
    steps=PRE_NORM,
    spelling=SPELLING,
)
