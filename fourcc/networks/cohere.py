"""Cohere's Command-R, and Command-R7B: one LayerNorm without bias, then attention beside the feed-forward network.

Logits have a factor; in Command-R7B only layers with a window rotate. Source: transformers' ``modeling_cohere.py`` and
``modeling_cohere2.py``.
"""

from __future__ import annotations

from fourcc.networks.decoder import (
    ATTENTION_MATRICES,
    COMMON,
    EACH_HEAD_NORMS,
    GATED,
    INFORMATION,
    PARALLEL_STEPS,
    WINDOW,
    biases,
    contradictions,
    model,
    needed,
    optional,
    some,
)
from fourcc.networks.network import Network
from fourcc.networks.spellings.cohere import COHERE as COHERE_SPELLING
from fourcc.networks.spellings.cohere import COHERE2 as COHERE2_SPELLING

_LAYER = {
    **needed({"attention_norm": ("dim",)}, ATTENTION_MATRICES, GATED),
    **optional(biases(ATTENTION_MATRICES)),
}
_KEYS = {**COMMON, **some("hidden_act", "output_scale")}

COHERE = Network(
    name="cohere",
    tensors=model({**_LAYER, **optional(EACH_HEAD_NORMS)}),
    keys=_KEYS,
    information=INFORMATION,
    between=contradictions,
    steps=PARALLEL_STEPS,
    norm_kind="layer",
    spelling=COHERE_SPELLING,
)
COHERE2 = Network(
    name="cohere2",
    tensors=model(_LAYER),
    keys={**_KEYS, **WINDOW, **some("rope_layers")},
    information=INFORMATION,
    between=contradictions,
    steps=PARALLEL_STEPS,
    norm_kind="layer",
    spelling=COHERE2_SPELLING,
)
