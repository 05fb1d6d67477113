"""How files state GPT-NeoX and Pythia: q, k and v of each head stand together, attention may be parallel."""

from __future__ import annotations

from fourcc.naming import GGUF, HUGGING_FACE
from fourcc.networks.hyper import Hyper
from fourcc.networks.spelling import ConfigClass, Found, GgufArchitecture, JoinedRows, RotationWords, Spelling, Word
from fourcc.networks.spellings.common import (
    CONTEXT,
    DIM,
    HEADS,
    HIDDEN,
    LAYERS,
    QKVO_BIASES,
    VOCABULARY,
    WIDTH_FOLLOWS,
    activation,
    layer_norm,
)


def _same_heads(hyper: Hyper) -> object:
    return hyper["n_heads"]


def _implied(hyper: Hyper) -> Found:  # noqa: ARG001 - as any architecture
    return {"hidden_act": "gelu_tanh", "parallel_residual": True}


_LAYER = "gpt_neox.layers.*"

SPELLING = Spelling(
    classes=(
        ConfigClass(
            model_type="gpt_neox",
            name="GPTNeoXForCausalLM",
            optional={
                **dict.fromkeys(QKVO_BIASES, "attention_bias"),
                **dict.fromkeys(("feed_forward.w2.bias", "feed_forward.w3.bias")),
            },
            switches=frozenset({"attention_bias"}),
            turning=RotationWords(theta_key="rotary_emb_base", partial=0.25, partial_key="rotary_pct"),
            passed=("hidden_dropout", "classifier_dropout"),
        ),
    ),
    gguf=(GgufArchitecture(name="gptneox", halves=True, implied=_implied, unheeded=("hidden_act",)),),
    words=(
        *(DIM, HIDDEN, LAYERS, HEADS, VOCABULARY, CONTEXT),
        Word("n_kv_heads", None, "attention.head_count_kv", default=_same_heads),
        WIDTH_FOLLOWS,
        layer_norm(),
        activation("gelu"),
        Word("parallel_residual", "use_parallel_residual", "use_parallel_residual", "flag", default=True),
    ),
    base="gpt_neox.",
    names={
        "tok_embeddings": ("gpt_neox.embed_in", "token_embd"),
        "norm": ("gpt_neox.final_layer_norm", "output_norm"),
        "output": ("embed_out", "output"),
        "layers.*.attention_norm": (f"{_LAYER}.input_layernorm", "blk.*.attn_norm"),
        "layers.*.attention.wo": (f"{_LAYER}.attention.dense", "blk.*.attn_output"),
        "layers.*.ffn_norm": (f"{_LAYER}.post_attention_layernorm", "blk.*.ffn_norm"),
        "layers.*.feed_forward.w3": (f"{_LAYER}.mlp.dense_h_to_4h", "blk.*.ffn_up"),
        "layers.*.feed_forward.w2": (f"{_LAYER}.mlp.dense_4h_to_h", "blk.*.ffn_down"),
    },
    joined=(
        JoinedRows(
            tuple(f"layers.*.attention.{name}" for name in ("wq", "wk", "wv")),
            {HUGGING_FACE: f"{_LAYER}.attention.query_key_value", GGUF: "blk.*.attn_qkv"},
            by_head=(HUGGING_FACE,),
        ),
    ),
    left_out=(".attention.bias", ".attention.masked_bias"),
)
