"""How files state mixtures of experts: Mixtral, Qwen2-MoE, Qwen3-MoE, gpt-oss.

Hugging Face's files have a tensor for each expert and matrix (gpt-oss: one for all, its gate and up rows taking turns,
with columns for rows); GGUF and fourcc have one stack for each matrix.
"""

from __future__ import annotations

from fourcc.naming import GGUF, HUGGING_FACE
from fourcc.networks.hyper import Hyper
from fourcc.networks.spelling import (
    Config,
    ConfigClass,
    Found,
    GgufArchitecture,
    JoinedRows,
    RotationWords,
    Spelling,
    StackedMatrices,
    WindowWords,
    Word,
)
from fourcc.networks.spellings.common import (
    HEAD_NORMS,
    QKV_BIASES,
    QKVO_BIASES,
    RMS,
    SIZES,
    activation,
    even_below,
    every,
    unless_all,
)

_EXPERTS = "layers.*.feed_forward.experts"
_SHARED = "layers.*.feed_forward.shared"
_GGUF_WORDS = {"w1": "gate", "w2": "down", "w3": "up"}


def _names(router: str) -> dict[str, tuple[str | None, str | None]]:
    return {
        "layers.*.feed_forward.router": (router, "blk.*.ffn_gate_inp"),
        **{f"{_EXPERTS}.{ours}": (None, f"blk.*.ffn_{theirs}_exps") for ours, theirs in _GGUF_WORDS.items()},
    }


def _stacks(template: str, words: dict[str, str]) -> tuple[StackedMatrices, ...]:
    """The stacks of experts; older GGUF files have a tensor an expert, too."""
    return tuple(
        StackedMatrices(
            f"{_EXPERTS}.{ours}",
            {HUGGING_FACE: template.format(theirs), GGUF: f"blk.*.ffn_{_GGUF_WORDS[ours]}.#"},
        )
        for ours, theirs in words.items()
    )


def _count(experts: str, *others: str) -> tuple[Word, ...]:
    """The words of how many experts there are, and how many an activation goes through."""
    return (
        Word("n_experts", experts, "expert_count", others=others),
        Word("n_experts_used", "num_experts_per_tok", "expert_used_count"),
    )


def _scores(kind: str, **more: object) -> Found:
    return {"expert_scores": kind, **more}


# -- Mixtral

_MIXTRAL = _scores("softmax", expert_weights_normalized=True)
MIXTRAL = Spelling(
    classes=(
        ConfigClass(
            model_type="mixtral",
            name="MixtralForCausalLM",
            window=WindowWords(types=False),
            turning=RotationWords(1000000.0),
            more=lambda config, hyper: _MIXTRAL,  # noqa: ARG005 - as any class
            passed=("output_router_logits", "router_aux_loss_coef", "router_jitter_noise"),
        ),
    ),
    gguf=tuple(
        GgufArchitecture(
            name=name,
            halves=False,
            implied=lambda hyper: _MIXTRAL,  # noqa: ARG005 - as any architecture
            unheeded=("sliding_window", "hidden_act"),
        )
        for name in ("llama", "mistral")
    ),
    words=(
        *SIZES,
        Word("expert_hidden_dim", "intermediate_size", "feed_forward_length"),
        RMS,
        activation(),
        *_count("num_local_experts", "num_experts"),
    ),
    names=_names("model.layers.*.block_sparse_moe.gate"),
    stacked=_stacks("model.layers.*.block_sparse_moe.experts.#.{}", {"w1": "w1", "w2": "w2", "w3": "w3"}),
)

# -- Qwen


def _expert_layers(config: Config, hyper: Hyper) -> Found:
    """Layers without experts, by number and by step."""
    dense = config.fields.get("mlp_only_layers") or []
    if not isinstance(dense, list) or any(type(layer) is not int for layer in dense):
        raise config.refusal("mlp_only_layers", dense, "a list of layers")
    step = config.count("decoder_sparse_step", 1)
    layers = range(min(int(str(hyper["n_layers"])), 1 << 16))
    flags = [int(layer not in dense and (layer + 1) % step == 0) for layer in layers]
    return {**unless_all("expert_layers", flags), "expert_scores": "softmax"}


def _write_expert_layers(hyper: Hyper) -> Found:
    flags = hyper.get("expert_layers")
    dense = [layer for layer, flag in enumerate(flags) if not flag] if isinstance(flags, (list, tuple)) else []
    return {"decoder_sparse_step": 1, "mlp_only_layers": dense}


def _qwen_words(*, shared: bool) -> tuple[Word, ...]:
    words = (
        *SIZES,
        RMS,
        activation(),
        *_count("num_experts", "num_local_experts"),
        Word("expert_hidden_dim", "moe_intermediate_size", "expert_feed_forward_length"),
        Word("expert_weights_normalized", "norm_topk_prob", "expert_weights_norm", "flag", default=False),
    )
    if not shared:
        return words
    key = ("shared_expert_intermediate_size", "expert_shared_feed_forward_length")
    return (*words, Word("shared_hidden_dim", *key))


_QWEN_KEYS = ("mlp_only_layers", "decoder_sparse_step")
_QWEN_PASSED = ("output_router_logits", "router_aux_loss_coef", "max_window_layers")
_QWEN_EXPERTS = _stacks("model.layers.*.mlp.experts.#.{}_proj", {"w1": "gate", "w2": "down", "w3": "up"})


def _some_layers(hyper: Hyper, names: frozenset[str]) -> str | None:  # noqa: ARG001 - as any architecture
    flags = hyper.get("expert_layers")
    return "it wants experts in all layers" if isinstance(flags, (list, tuple)) and not all(flags) else None


QWEN2_MOE = Spelling(
    classes=(
        ConfigClass(
            model_type="qwen2_moe",
            name="Qwen2MoeForCausalLM",
            optional=dict.fromkeys(QKV_BIASES, "qkv_bias"),
            switches=frozenset({"qkv_bias"}),
            window=WindowWords(4096, switch=True, layers=even_below, keys=("max_window_layers",)),
            more=_expert_layers,
            write_more=_write_expert_layers,
            keys=_QWEN_KEYS,
            passed=_QWEN_PASSED,
        ),
    ),
    gguf=(
        GgufArchitecture(
            name="qwen2moe",
            halves=True,
            implied=lambda hyper: _scores("softmax", expert_weights_normalized=False),  # noqa: ARG005 - as any
            unheeded=("expert_weights_normalized", "sliding_window", "hidden_act"),
            unloadable=_some_layers,
        ),
    ),
    words=_qwen_words(shared=True),
    names={
        **_names("model.layers.*.mlp.gate"),
        "layers.*.feed_forward.shared_gate": ("model.layers.*.mlp.shared_expert_gate", "blk.*.ffn_gate_inp_shexp"),
        **{
            f"{_SHARED}.{ours}": (f"model.layers.*.mlp.shared_expert.{theirs}_proj", f"blk.*.ffn_{theirs}_shexp")
            for ours, theirs in _GGUF_WORDS.items()
        },
    },
    stacked=_QWEN_EXPERTS,
)
QWEN3_MOE = Spelling(
    classes=(
        ConfigClass(
            model_type="qwen3_moe",
            name="Qwen3MoeForCausalLM",
            optional={**dict.fromkeys(QKVO_BIASES, "attention_bias"), **dict.fromkeys(HEAD_NORMS)},
            window=WindowWords(4096, switch=True, types=False),
            more=_expert_layers,
            write_more=_write_expert_layers,
            keys=_QWEN_KEYS,
            passed=_QWEN_PASSED,
        ),
    ),
    gguf=(
        GgufArchitecture(
            name="qwen3moe",
            halves=True,
            implied=lambda hyper: _scores("softmax", expert_weights_normalized=True),  # noqa: ARG005 - as any
            unheeded=("expert_weights_normalized", "sliding_window", "hidden_act"),
            unloadable=_some_layers,
        ),
    ),
    words=_qwen_words(shared=False),
    names=_names("model.layers.*.mlp.gate"),
    stacked=_QWEN_EXPERTS,
)

# -- gpt-oss

_LIMIT, _ALPHA = 7.0, 1.702  # of its gate, in llama.cpp and where a config is silent
_YARN = {
    "rope_type": "yarn",
    "factor": 32.0,
    "beta_fast": 32.0,
    "beta_slow": 1.0,
    "truncate": False,
    "original_max_position_embeddings": 4096,
}
_OF_CHOSEN = _scores("softmax_of_chosen")
_AT = "model.layers.*.mlp.experts"

GPT_OSS = Spelling(
    classes=(
        ConfigClass(
            model_type="gpt_oss",
            name="GptOssForCausalLM",
            optional=dict.fromkeys(QKVO_BIASES, "attention_bias"),
            switches=frozenset({"attention_bias"}),
            window=WindowWords(128, layers=every(2)),
            turning=RotationWords(150000.0, scaling=_YARN),
            more=lambda config, hyper: _OF_CHOSEN,  # noqa: ARG005 - as any class
            passed=("experts_per_token", "initial_context_length", "output_router_logits", "router_aux_loss_coef"),
        ),
    ),
    gguf=(
        GgufArchitecture(
            name="gpt-oss",
            halves=True,
            implied=lambda hyper: {**_OF_CHOSEN, "gate_limit": _LIMIT, "gate_alpha": _ALPHA},  # noqa: ARG005 - as any
            unheeded=("gate_limit", "gate_alpha", "hidden_act"),
            pattern=2,
        ),
    ),
    words=(
        *SIZES,
        Word("expert_hidden_dim", "intermediate_size", "expert_feed_forward_length"),
        RMS,
        activation(),
        *_count("num_local_experts", "num_experts"),
        Word("gate_limit", "swiglu_limit", "swiglu_limit", "number", _LIMIT),
        Word("gate_alpha", "swiglu_alpha", "swiglu_alpha", "number", _ALPHA),
    ),
    names={
        **_names("model.layers.*.mlp.router"),
        f"{_EXPERTS}.w2": (f"{_AT}.down_proj", "blk.*.ffn_down_exps"),
        "layers.*.attention.sinks": ("model.layers.*.self_attn.sinks", "blk.*.attn_sinks"),
        "layers.*.ffn_norm": ("model.layers.*.post_attention_layernorm", "blk.*.post_attention_norm"),
    },
    joined=(
        JoinedRows(
            (f"{_EXPERTS}.w1", f"{_EXPERTS}.w3"),
            {HUGGING_FACE: f"{_AT}.gate_up_proj"},
            alternating=(HUGGING_FACE,),
        ),
    ),
    endings={
        HUGGING_FACE: (
            (".gate_up_proj", ".gate_up_proj.weight"),
            (".gate_up_proj_bias", ".gate_up_proj.bias"),
            (".down_proj", ".down_proj.weight"),
            (".down_proj_bias", ".down_proj.bias"),
            (".sinks", ".sinks.weight"),
        )
    },
    transposed={HUGGING_FACE: tuple(f"{_EXPERTS}.{name}" for name in ("w1", "w2", "w3"))},
)
