"""How files state Llama, Mistral, Qwen2, Qwen3: one network, of which each has other optional tensors and windows."""

from __future__ import annotations

from fourcc.networks.spelling import ConfigClass, GgufArchitecture, Spelling, WindowWords
from fourcc.networks.spellings.common import (
    BY_LAYERS,
    HEAD_NORMS,
    MLP_BIASES,
    QKV_BIASES,
    QKVO_BIASES,
    RMS,
    SIZES,
    activation,
)

_ATTENTION = dict.fromkeys(QKVO_BIASES, "attention_bias")


def _choose(names: frozenset[str]) -> str:
    """The architecture that has these tensors: norms of q and k, or biases of q, k and v alone, tell it."""
    if "attention.q_norm" in names:
        return "qwen3"
    biases = {name for name in names if name.endswith(".bias")}
    return "qwen2" if biases == set(QKV_BIASES) else "llama"


SPELLING = Spelling(
    classes=(
        ConfigClass(
            model_type="llama",
            name="LlamaForCausalLM",
            optional={**_ATTENTION, **dict.fromkeys(MLP_BIASES, "mlp_bias")},
        ),
        ConfigClass(model_type="mistral", name="MistralForCausalLM", window=WindowWords(4096, some=False)),
        ConfigClass(
            model_type="qwen2",
            name="Qwen2ForCausalLM",
            optional=dict.fromkeys(QKV_BIASES),
            window=BY_LAYERS,
        ),
        ConfigClass(
            model_type="qwen3",
            name="Qwen3ForCausalLM",
            optional={**_ATTENTION, **dict.fromkeys(HEAD_NORMS)},
            window=BY_LAYERS,
        ),
    ),
    gguf=(
        GgufArchitecture(name="llama", halves=False, unheeded=("sliding_window",)),
        GgufArchitecture(name="mistral", halves=False, unheeded=("sliding_window",)),
        GgufArchitecture(name="qwen2", halves=True, unheeded=("sliding_window",)),
        GgufArchitecture(name="qwen3", halves=True, unheeded=("sliding_window",)),
    ),
    choose=_choose,
    words=(*SIZES, RMS, activation()),
)
