"""The Llama family: RMSNorm, rotated grouped-query attention, SwiGLU; optionally biases and windows.

Mistral, Qwen2 and Qwen3 are of it: they differ in which of the optional tensors and windows they have.
"""

from __future__ import annotations

from fourcc.networks.decoder import (
    ATTENTION_MATRICES,
    COMMON,
    GATED,
    HEAD_NORMS,
    INFORMATION,
    NORMS,
    PRE_NORM,
    WINDOW,
    biases,
    contradictions,
    model,
    needed,
    optional,
)
from fourcc.networks.hyper import text
from fourcc.networks.network import Network
from fourcc.networks.spellings.llama import SPELLING

LLAMA = Network(
    name="llama",
    tensors=model(
        {
            **needed(NORMS, ATTENTION_MATRICES, GATED),
            **optional(HEAD_NORMS, biases(ATTENTION_MATRICES, GATED)),
        }
    ),
    keys={**COMMON, "hidden_act": text("silu"), **WINDOW},
    information=INFORMATION,
    between=contradictions,
    steps=PRE_NORM,
    spelling=SPELLING,
)
