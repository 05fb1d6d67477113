"""Gemma, Gemma 2 and Gemma 3: embeddings are scaled, one is added to the weights of norms, GELU by tanh gates.

Gemma 2 and 3 also normalize what attention and the feed-forward network add, and every other or sixth layer sees all
positions. Gemma 2 caps scores and logits softly; Gemma 3 normalizes heads, and rotates them by another base in layers
with a window. Source: transformers' ``modeling_gemma.py``, ``modeling_gemma2.py``, ``modeling_gemma3.py``.
"""

from __future__ import annotations

from fourcc.networks.decoder import (
    ATTENTION_MATRICES,
    COMMON,
    GATED,
    HEAD_NORMS,
    INFORMATION,
    NORMS,
    POST_NORMS,
    PRE_AND_POST_NORM,
    PRE_NORM,
    WINDOW,
    contradictions,
    model,
    needed,
    some,
)
from fourcc.networks.network import Network
from fourcc.networks.spellings.gemma import GEMMA as GEMMA_SPELLING
from fourcc.networks.spellings.gemma import GEMMA2 as GEMMA2_SPELLING
from fourcc.networks.spellings.gemma import GEMMA3 as GEMMA3_SPELLING

_KEYS = {**COMMON, **some("hidden_act", "norm_offset", "embedding_scale")}
_LAYER = needed(NORMS, ATTENTION_MATRICES, GATED)

GEMMA = Network(
    name="gemma",
    tensors=model(_LAYER),
    keys=_KEYS,
    information=INFORMATION,
    between=contradictions,
    steps=PRE_NORM,
    spelling=GEMMA_SPELLING,
)
GEMMA2 = Network(
    name="gemma2",
    tensors=model({**_LAYER, **needed(POST_NORMS)}),
    keys={**_KEYS, **WINDOW, **some("attention_scale", "attention_softcap", "output_softcap")},
    information=INFORMATION,
    between=contradictions,
    steps=PRE_AND_POST_NORM,
    spelling=GEMMA2_SPELLING,
)
GEMMA3 = Network(
    name="gemma3",
    tensors=model({**_LAYER, **needed(HEAD_NORMS, POST_NORMS)}),
    keys={**_KEYS, **WINDOW, **some("attention_scale", "output_softcap", "rope_local_theta")},
    information=INFORMATION,
    between=contradictions,
    steps=PRE_AND_POST_NORM,
    spelling=GEMMA3_SPELLING,
)
