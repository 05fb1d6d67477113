"""How files state Granite: a Llama with four factors, of embeddings, of scores, of what is added, and of logits."""

from __future__ import annotations

from fourcc.networks.spelling import ConfigClass, GgufArchitecture, Spelling, Word
from fourcc.networks.spellings.common import (
    MLP_BIASES,
    QKVO_BIASES,
    RMS,
    SIZES,
    activation,
    scale,
)


def _inverse(divisor: float) -> float:
    return 1.0 / float(divisor)


SPELLING = Spelling(
    classes=(
        ConfigClass(
            model_type="granite",
            name="GraniteForCausalLM",
            optional={
                **dict.fromkeys(QKVO_BIASES, "attention_bias"),
                **dict.fromkeys(MLP_BIASES, "mlp_bias"),
            },
        ),
    ),
    gguf=(GgufArchitecture(name="granite", halves=False, unheeded=("hidden_act",)),),
    words=(
        *SIZES,
        RMS,
        activation(),
        scale("embedding_scale", "embedding_multiplier", "embedding_scale", 1.0),
        scale("attention_scale", "attention_multiplier", "attention.scale", 1.0),
        scale("residual_scale", "residual_multiplier", "residual_scale", 1.0),
        Word(  # both files state what logits are divided by
            "output_scale",
            "logits_scaling",
            "logit_scale",
            "number",
            1.0,
            read=_inverse,
            write=_inverse,
            gguf_read=_inverse,
            gguf_write=_inverse,
        ),
    ),
)
