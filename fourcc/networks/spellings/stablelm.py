"""How files state StableLM: LayerNorms, a quarter of each head turns; 12B has a norm for each head, and is parallel."""

from __future__ import annotations

from fourcc.naming import HUGGING_FACE
from fourcc.networks.spelling import ConfigClass, GgufArchitecture, RotationWords, Spelling, StackedMatrices, Word
from fourcc.networks.spellings.common import (
    HEAD_NORMS,
    QKV_BIASES,
    SIZES,
    WIDTH_FOLLOWS,
    activation,
    layer_norm,
)

SPELLING = Spelling(
    classes=(
        ConfigClass(
            model_type="stablelm",
            name="StableLmForCausalLM",
            words=(WIDTH_FOLLOWS,),
            optional={**dict.fromkeys(QKV_BIASES, "use_qkv_bias"), **dict.fromkeys(HEAD_NORMS, "qk_layernorm")},
            turning=RotationWords(partial=0.25),
            passed=("hidden_dropout", "rope_pct", "rotary_scaling_factor"),
        ),
    ),
    gguf=(
        GgufArchitecture(
            name="stablelm",
            halves=True,
            implied=lambda hyper: {"parallel_residual": True},  # noqa: ARG005 - as any architecture
            unheeded=("hidden_act",),
        ),
    ),
    words=(
        *SIZES,
        layer_norm(),
        activation(),
        Word("parallel_residual", "use_parallel_residual", "use_parallel_residual", "flag", default=False),
    ),
    stacked=tuple(
        StackedMatrices(f"layers.*.attention.{ours}", {HUGGING_FACE: f"model.layers.*.self_attn.{theirs}.norms.#"})
        for ours, theirs in (("q_norm", "q_layernorm"), ("k_norm", "k_layernorm"))
    ),
)
