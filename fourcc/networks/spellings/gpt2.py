"""How files state GPT-2: learned positions, LayerNorms, biases everywhere; matrices lie with columns for rows."""

from __future__ import annotations

from fourcc.naming import GGUF, HUGGING_FACE
from fourcc.networks.hyper import Hyper
from fourcc.networks.spelling import ConfigClass, Found, GgufArchitecture, JoinedRows, Spelling, Word
from fourcc.networks.spellings.common import QKVO_BIASES, WIDTH_FOLLOWS, activation, layer_norm


def _inner(hyper: Hyper) -> int:
    return 4 * int(str(hyper["dim"]))


def _implied(hyper: Hyper) -> Found:  # noqa: ARG001 - as any architecture
    return {"hidden_act": "gelu_tanh"}


def _same_heads(hyper: Hyper) -> object:
    return hyper["n_heads"]


_LAYER = "transformer.h.*"
_MATRICES = tuple(
    f"layers.*.{name}"
    for name in (*(f"attention.{name}" for name in ("wq", "wk", "wv", "wo")), "feed_forward.w2", "feed_forward.w3")
)

SPELLING = Spelling(
    classes=(
        ConfigClass(
            model_type="gpt2",
            name="GPT2LMHeadModel",
            optional=dict.fromkeys((*QKVO_BIASES, "feed_forward.w2.bias", "feed_forward.w3.bias")),
            turning=None,
            other={
                "per_layer_config": (),
                "scale_attn_by_inverse_layer_idx": (False,),
                "scale_attn_weights": (True,),
                "add_cross_attention": (False,),
            },
            passed=(
                *("n_ctx", "attn_pdrop", "embd_pdrop", "resid_pdrop", "reorder_and_upcast_attn", "layer_norm_eps"),
                *("summary_activation", "summary_first_dropout", "summary_proj_to_labels", "summary_type"),
                "summary_use_proj",
            ),
        ),
    ),
    gguf=(GgufArchitecture(name="gpt2", halves=False, implied=_implied, unheeded=("hidden_act",)),),
    words=(
        Word("dim", "n_embd", "embedding_length"),
        Word("n_layers", "n_layer", "block_count"),
        Word("n_heads", "n_head", "attention.head_count"),
        Word("vocab_size", "vocab_size", "vocab_size"),
        Word("seq_len", "n_positions", "context_length"),
        Word("hidden_dim", "n_inner", "feed_forward_length", default=_inner),
        Word("n_kv_heads", None, "attention.head_count_kv", default=_same_heads),
        WIDTH_FOLLOWS,
        layer_norm("layer_norm_epsilon"),
        activation("gelu_tanh", "activation_function", back={"gelu_tanh": "gelu_new"}),
    ),
    base="transformer.",
    names={
        "tok_embeddings": ("transformer.wte", "token_embd"),
        "position_embeddings": ("transformer.wpe", "position_embd"),
        "norm": ("transformer.ln_f", "output_norm"),
        "layers.*.attention_norm": (f"{_LAYER}.ln_1", "blk.*.attn_norm"),
        "layers.*.attention.wo": (f"{_LAYER}.attn.c_proj", "blk.*.attn_output"),
        "layers.*.ffn_norm": (f"{_LAYER}.ln_2", "blk.*.ffn_norm"),
        "layers.*.feed_forward.w3": (f"{_LAYER}.mlp.c_fc", "blk.*.ffn_up"),
        "layers.*.feed_forward.w2": (f"{_LAYER}.mlp.c_proj", "blk.*.ffn_down"),
    },
    joined=(JoinedRows(_MATRICES[:3], {HUGGING_FACE: f"{_LAYER}.attn.c_attn", GGUF: "blk.*.attn_qkv"}),),
    transposed={HUGGING_FACE: _MATRICES},
    halves=False,
    left_out=(".attn.bias", ".attn.masked_bias"),
)
