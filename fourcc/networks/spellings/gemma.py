"""How files state Gemma, Gemma 2 and Gemma 3.

transformers adds one to the weights of each norm and multiplies embeddings by the root of their size; llama.cpp's
converter has added the one, and its graphs multiply likewise. Neither states it. llama.cpp scales scores by the width
of a head, but in the 27B models (46 and 62 layers) by the size of the embedding over the number of heads.
"""

from __future__ import annotations

from math import sqrt

from fourcc.networks.hyper import Hyper
from fourcc.networks.spelling import (
    ABSENT,
    Config,
    ConfigClass,
    Found,
    GgufArchitecture,
    RotationWords,
    Spelling,
    WindowWords,
    Word,
)
from fourcc.networks.spellings.common import ALTERNATING, HEAD_NORMS, RMS, SIZES, activation, every, scale

_OFFSET = 1.0
_LARGEST = {"gemma2": 46, "gemma3": 62}  # layers of a 27B
_NAMES: dict[str, tuple[str | None, str | None]] = {
    "layers.*.attention_post_norm": ("model.layers.*.post_attention_layernorm", "blk.*.post_attention_norm"),
    "layers.*.ffn_norm": ("model.layers.*.pre_feedforward_layernorm", "blk.*.ffn_norm"),
    "layers.*.ffn_post_norm": ("model.layers.*.post_feedforward_layernorm", "blk.*.post_ffw_norm"),
}


def _root(hyper: Hyper) -> float:
    return sqrt(float(str(hyper.get("dim", 0))))


def _always(config: Config, hyper: Hyper) -> Found:  # noqa: ARG001 - as any class
    return {"embedding_scale": _root(hyper), "norm_offset": _OFFSET}


def _implied(hyper: Hyper) -> Found:
    return {"embedding_scale": _root(hyper), "hidden_act": "gelu_tanh"}


def _scaled(name: str) -> Found:
    def implied(hyper: Hyper) -> Found:
        dim, heads, head = (int(str(hyper.get(word, 1))) for word in ("dim", "n_heads", "head_dim"))
        width = dim // heads if hyper.get("n_layers") == _LARGEST[name] else head
        return {**_implied(hyper), "attention_scale": width**-0.5}

    return {"implied": implied}


def _query(scalar: float) -> float:
    return 1 / sqrt(scalar)


def _scalar(scale_of_scores: float) -> float | int:
    """The number whose root divides scores: whole, where it is one but for rounding."""
    scalar = float(scale_of_scores) ** -2
    return round(scalar) if abs(scalar - round(scalar)) < 1e-6 * scalar else scalar


_QUERY = Word(
    "attention_scale",
    "query_pre_attn_scalar",
    "attention.scale",
    "number",
    256**-0.5,
    read=_query,
    write=_scalar,
)
_FINAL = ("final_logit_softcapping", "final_logit_softcapping")
_BIDIRECTIONAL: dict[str, tuple[object, ...]] = {"per_layer_config": (), "use_bidirectional_attention": (False,)}

GEMMA = Spelling(
    classes=(
        ConfigClass(
            model_type="gemma",
            name="GemmaForCausalLM",
            # "gelu" is what the first releases say, and transformers takes it for the approximation
            words=(activation("gelu_tanh", back={"gelu": "gelu_python"}),),
            more=lambda config, hyper: {
                **_always(config, hyper),
                **({"hidden_act": "gelu_tanh"} if config.fields.get("hidden_act") == "gelu" else {}),
            },
            other=_BIDIRECTIONAL,
            passed=("hidden_activation",),
        ),
    ),
    gguf=(
        GgufArchitecture(
            name="gemma",
            halves=True,
            implied=_implied,
            unheeded=("hidden_act",),
            unloadable=lambda hyper, names: "its gemma has no output matrix" if "output" in names else None,  # noqa: ARG005 - as any
        ),
    ),
    words=(*SIZES, RMS),
    offset=_OFFSET,
)
GEMMA2 = Spelling(
    classes=(
        ConfigClass(
            model_type="gemma2",
            name="Gemma2ForCausalLM",
            words=(activation("gelu_tanh", "hidden_activation"),),
            window=ALTERNATING,
            more=_always,
            other=_BIDIRECTIONAL,
            passed=("hidden_act", "cache_implementation"),
        ),
    ),
    gguf=(
        GgufArchitecture(
            name="gemma2",
            halves=True,
            **_scaled("gemma2"),
            unheeded=("hidden_act", "attention_scale"),
            pattern=2,
            window=4096,
        ),
    ),
    words=(
        *SIZES,
        RMS,
        _QUERY,
        scale("attention_softcap", "attn_logit_softcapping", "attn_logit_softcapping", 50.0),
        scale("output_softcap", *_FINAL, 30.0),
    ),
    names=_NAMES,
    offset=_OFFSET,
)
GEMMA3 = Spelling(
    classes=(
        ConfigClass(
            model_type="gemma3_text",
            name="Gemma3ForCausalLM",
            words=(activation("gelu_tanh", "hidden_activation"),),
            optional=dict.fromkeys(HEAD_NORMS),
            window=WindowWords(4096, layers=every(6, "sliding_window_pattern"), keys=("sliding_window_pattern",)),
            turning=RotationWords(1000000.0, local=10000.0),
            more=_always,
            other=_BIDIRECTIONAL,
            passed=("hidden_act", "cache_implementation", "_sliding_window_pattern"),
        ),
    ),
    gguf=(
        GgufArchitecture(
            name="gemma3",
            halves=True,
            **_scaled("gemma3"),
            unheeded=("hidden_act", "attention_scale"),
            pattern=6,
            local=True,
        ),
    ),
    words=(*SIZES, RMS, _QUERY, scale("output_softcap", *_FINAL, ABSENT)),
    names=_NAMES,
    offset=_OFFSET,
)
