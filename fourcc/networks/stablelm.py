"""StableLM: LayerNorms, heads that turn in part; its 12B has norms of each head and takes one norm for both halves.

Source: transformers' ``modeling_stablelm.py``.
"""

from __future__ import annotations

from fourcc.networks.decoder import (
    ATTENTION_MATRICES,
    COMMON,
    EACH_HEAD_NORMS,
    GATED,
    INFORMATION,
    NORMS,
    PARALLEL_STEPS,
    PRE_NORM,
    biases,
    contradictions,
    model,
    needed,
    optional,
    some,
)
from fourcc.networks.network import PARALLEL, Network, Tensor
from fourcc.networks.spellings.stablelm import SPELLING

_FFN_NORM = {name: Tensor(("dim",), unless=PARALLEL) for name in ("ffn_norm", "ffn_norm.bias")}
_QKV_BIASES = {name: dims for name, dims in biases(ATTENTION_MATRICES).items() if name != "attention.wo.bias"}

STABLELM = Network(
    name="stablelm",
    tensors=model(
        {
            **needed(NORMS, biases(NORMS), ATTENTION_MATRICES, GATED),
            **optional(_QKV_BIASES, EACH_HEAD_NORMS),
            **_FFN_NORM,
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
