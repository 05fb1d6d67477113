"""Tiny models of every family, as their makers describe them: configs, and keys that must change their logits.

Names and shapes of their tensors are those that transformers itself writes; ``tests/lanes/family_logits.py`` stores
them with its logits in ``tests/vectors/families.json``. Weights are made anew from the names, with numpy alone.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import numpy as np

Arrays = dict[str, np.ndarray]
Config = dict[str, Any]
TOKENS = [int(token) for token in np.random.default_rng(11).integers(0, 48, 240)]
PLACES = (0, 7, 8, 15, 39, 40, 47, 64, 207, 239)  # behind these tokens logits are stored; 8 and 40 are windows
PATCHES = 16  # patches of a tiny picture; none is ever shown to a model

_SIZES: Config = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 48,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1000.0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": None,
}
_ALTERNATING = ["sliding_attention", "full_attention", "sliding_attention"]
_LONGROPE = {
    "short_factor": [1.0, 1.25, 1.5, 2.0],
    "long_factor": [1.0, 3.0, 5.0, 8.0],
    "type": "longrope",
}
_EXPERTS = (".experts.gate_up_proj", ".experts.down_proj")
_YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 64}


def _config(family: str, kind: str, *without: str, **more: object) -> Config:
    given = {"model_type": family, "architectures": [f"{kind}ForCausalLM"], **_SIZES, **more}
    return {key: value for key, value in given.items() if key not in without}


def _layer_norms(family: str, kind: str, **more: object) -> Config:
    return _config(family, kind, "rms_norm_eps", **more)


def _gemma2(**more: object) -> Config:
    caps = {"attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0}
    shape = {"head_dim": 16, "query_pre_attn_scalar": 24, "hidden_activation": "gelu_pytorch_tanh"}
    return _config("gemma2", "Gemma2", **{**caps, **shape, "sliding_window": 8, **more})


def _gemma3(**more: object) -> Config:
    rotation = {"rope_local_base_freq": 100.0, "rope_scaling": {"rope_type": "linear", "factor": 8.0}}
    shape = {"num_hidden_layers": 4, "head_dim": 16, "query_pre_attn_scalar": 24, "sliding_window": 8}
    window = {"sliding_window_pattern": 3, "hidden_activation": "gelu_pytorch_tanh"}
    return _config("gemma3_text", "Gemma3", **{**rotation, **shape, **window, **more})


def _moe(family: str, kind: str, **more: object) -> Config:
    routing = {"num_experts": 6, "num_experts_per_tok": 2, "moe_intermediate_size": 24, "decoder_sparse_step": 1}
    return _config(family, kind, **{**routing, "mlp_only_layers": [], "tie_word_embeddings": False, **more})


def _gpt_oss(**more: object) -> Config:
    yarn = {"rope_type": "yarn", "factor": 4.0, "beta_fast": 32.0, "beta_slow": 1.0, "truncate": False}
    return _config(
        "gpt_oss",
        "GptOss",
        **{
            "num_local_experts": 6,
            "num_experts_per_tok": 2,
            "intermediate_size": 32,
            "head_dim": 8,
            "sliding_window": 8,
            "layer_types": _ALTERNATING,
            "swiglu_limit": 1.5,
            "rope_scaling": {**yarn, "original_max_position_embeddings": 64},
            "tie_word_embeddings": False,
            "attention_bias": True,
            **more,
        },
    )


def _gpt2(**more: object) -> Config:
    sizes = {"n_positions": 256, "n_ctx": 256, "n_embd": 32, "n_layer": 3, "n_head": 4, "vocab_size": 48}
    ends = {"bos_token_id": 1, "eos_token_id": 2, "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5}
    return {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], **sizes, **ends, **more}


def _stablelm(**more: object) -> Config:
    return _layer_norms("stablelm", "StableLm", layer_norm_eps=1e-5, partial_rotary_factor=0.25, **more)


def _neox(**more: object) -> Config:
    rotation = {"rotary_pct": 0.25, "rotary_emb_base": 1000, "layer_norm_eps": 1e-5, "tie_word_embeddings": False}
    given = _layer_norms("gpt_neox", "GPTNeoX", hidden_act="gelu", **rotation, **more)
    return {key: value for key, value in given.items() if key not in ("num_key_value_heads", "rope_theta")}


def _with_pictures(family: str, text: Config, **vision: object) -> Config:
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    kind = {"gemma3": "Gemma3", "mistral3": "Mistral3"}[family]
    return {
        "model_type": family,
        "architectures": [f"{kind}ForConditionalGeneration"],
        "text_config": {key: value for key, value in text.items() if key != "architectures"},
        "vision_config": {**sizes, "image_size": 16, "patch_size": 4, **vision},
    }


CASES: dict[str, Config] = {
    "llama, yarn": _config("llama", "Llama", rope_scaling=_YARN, tie_word_embeddings=False),
    "llama, yarn, by its attention": _config(
        "llama",
        "Llama",
        rope_scaling={**_YARN, "beta_fast": 16.0, "beta_slow": 2.0, "attention_factor": 1.5},
        tie_word_embeddings=True,
    ),
    "llama, yarn, two scales": _config(
        "llama", "Llama", rope_scaling={**_YARN, "mscale": 1.0, "mscale_all_dim": 0.5, "truncate": False}
    ),
    "llama, dynamic": _config("llama", "Llama", rope_scaling={"type": "dynamic", "factor": 4.0}),
    "llama, dynamic, past its length": _config(
        "llama", "Llama", rope_scaling={"type": "dynamic", "factor": 4.0}, max_position_embeddings=64
    ),
    "gemma": _config("gemma", "Gemma", hidden_act="gelu", head_dim=16, num_key_value_heads=1),
    "gemma, untied": _config("gemma", "Gemma", hidden_act="gelu", head_dim=16, tie_word_embeddings=False),
    "gemma2": _gemma2(),
    "gemma2, scaled by its heads": _gemma2(query_pre_attn_scalar=16),
    "gemma2, window 40": _gemma2(sliding_window=40, attn_logit_softcapping=None),
    "gemma3": _gemma3(),
    "gemma3, scaled by its heads": _gemma3(query_pre_attn_scalar=16, sliding_window_pattern=2),
    "gemma3, by layer types": _gemma3(
        rope_scaling=None,
        rope_theta=None,
        rope_local_base_freq=None,
        sliding_window_pattern=None,
        sliding_window=40,
        layer_types=[*_ALTERNATING, "full_attention"],
        rope_parameters={
            "full_attention": {"rope_type": "default", "rope_theta": 500.0},
            "sliding_attention": {"rope_type": "default", "rope_theta": 100.0},
        },
        final_logit_softcapping=3.0,
        tie_word_embeddings=False,
    ),
    "gemma3, with pictures": {
        **_with_pictures("gemma3", _gemma3(), model_type="siglip_vision_model"),
        "mm_tokens_per_image": PATCHES,
        "boi_token_index": 40,
        "eoi_token_index": 41,
        "image_token_index": 42,
    },
    "mistral3, with pictures": {
        **_with_pictures(
            "mistral3", _config("mistral", "Mistral", head_dim=8, sliding_window=None), model_type="pixtral", head_dim=8
        ),
        "image_token_index": 42,
        "spatial_merge_size": 2,
    },
    "phi3": _config("phi3", "Phi3", tie_word_embeddings=False, sliding_window=None),
    "phi3, window 8": _config("phi3", "Phi3", tie_word_embeddings=False, sliding_window=8),
    "phi3, longrope, short": _config(
        "phi3", "Phi3", rope_scaling=_LONGROPE, original_max_position_embeddings=256, max_position_embeddings=1024
    ),
    "phi3, longrope, long": _config("phi3", "Phi3", rope_scaling=_LONGROPE, original_max_position_embeddings=32),
    "phi3, partial": _config(
        "phi3",
        "Phi3",
        partial_rotary_factor=0.75,
        rope_scaling={**_LONGROPE, "short_factor": [1.0, 1.5, 2.0], "long_factor": [1.0, 4.0, 8.0]},
        original_max_position_embeddings=32,
        tie_word_embeddings=True,
    ),
    "smollm3": _config("smollm3", "SmolLM3", no_rope_layers=[1, 0, 1], no_rope_layer_interval=4),
    "smollm3, every fourth layer": _config("smollm3", "SmolLM3", num_hidden_layers=4),
    "smollm3, by interval": _config("smollm3", "SmolLM3", no_rope_layer_interval=2, tie_word_embeddings=False),
    "olmo2": _config("olmo2", "Olmo2", tie_word_embeddings=False),
    "granite": _config(
        "granite",
        "Granite",
        embedding_multiplier=6.0,
        logits_scaling=4.0,
        residual_multiplier=0.25,
        attention_multiplier=0.125,
        tie_word_embeddings=True,
    ),
    "granite, biases": _config(
        "granite", "Granite", attention_bias=True, mlp_bias=True, attention_multiplier=0.5, tie_word_embeddings=False
    ),
    "gpt2": _gpt2(),
    "gpt2, untied": _gpt2(tie_word_embeddings=False, n_inner=48),
    "gpt_neox": _neox(),
    "gpt_neox, in series": _neox(use_parallel_residual=False),
    "gpt_neox, tanh": {**_neox(), "hidden_act": "gelu_fast", "rotary_pct": 1.0},
    "starcoder2": _layer_norms("starcoder2", "Starcoder2", norm_epsilon=1e-5, use_bias=True, sliding_window=40),
    "starcoder2, without a window": _layer_norms("starcoder2", "Starcoder2", norm_epsilon=1e-5, use_bias=True),
    "starcoder2, without biases": _layer_norms(
        "starcoder2", "Starcoder2", norm_epsilon=1e-5, use_bias=False, sliding_window=8, tie_word_embeddings=False
    ),
    "stablelm": _stablelm(use_qkv_bias=True, tie_word_embeddings=False),
    "stablelm, parallel": _stablelm(use_parallel_residual=True, qk_layernorm=True, tie_word_embeddings=False),
    "cohere": _layer_norms("cohere", "Cohere", layer_norm_eps=1e-5, logit_scale=0.25),
    "cohere, norms": _layer_norms(
        "cohere", "Cohere", layer_norm_eps=1e-5, logit_scale=0.25, use_qk_norm=True, attention_bias=True
    ),
    "cohere2": _layer_norms(
        "cohere2", "Cohere2", layer_norm_eps=1e-5, logit_scale=0.25, sliding_window=8, sliding_window_pattern=2
    ),
    "mixtral": _config("mixtral", "Mixtral", num_local_experts=6, num_experts_per_tok=2, tie_word_embeddings=False),
    "mixtral, window 8": _config(
        "mixtral", "Mixtral", num_local_experts=4, num_experts_per_tok=3, sliding_window=8, tie_word_embeddings=True
    ),
    "qwen2_moe": _moe("qwen2_moe", "Qwen2Moe", shared_expert_intermediate_size=40, norm_topk_prob=False),
    "qwen2_moe, some layers": _moe(
        "qwen2_moe",
        "Qwen2Moe",
        shared_expert_intermediate_size=40,
        norm_topk_prob=True,
        mlp_only_layers=[1],
        use_sliding_window=True,
        sliding_window=8,
        max_window_layers=2,
    ),
    "qwen3_moe": _moe("qwen3_moe", "Qwen3Moe", head_dim=12, norm_topk_prob=True),
    "qwen3_moe, some layers": _moe(
        "qwen3_moe", "Qwen3Moe", head_dim=12, norm_topk_prob=False, decoder_sparse_step=2, tie_word_embeddings=True
    ),
    "gpt_oss": _gpt_oss(),
    "gpt_oss, MXFP4": _gpt_oss(
        quantization_config={
            "quant_method": "mxfp4",
            "modules_to_not_convert": [
                "model.layers.*.self_attn",
                "model.layers.*.mlp.router",
                "model.embed_tokens",
                "lm_head",
            ],
        }
    ),
    "gpt_oss, with llama.cpp's limit": _gpt_oss(swiglu_limit=7.0, rope_scaling={**_YARN, "beta_fast": 32.0}),
    "gpt_oss, window 40": _gpt_oss(sliding_window=40, layer_types=None, rope_scaling={**_YARN, "truncate": True}),
}

_WINDOW = {"sliding_window": 200}
# Case -> other values of keys, each of which must change the logits: a case that does not notice them shows nothing.
TELLING: dict[str, tuple[Config, ...]] = {
    "llama, yarn": ({"rope_scaling": {**_YARN, "factor": 2.0}}, {"rope_scaling": None}),
    "llama, yarn, by its attention": ({"rope_scaling": _YARN},),
    "llama, yarn, two scales": ({"rope_scaling": _YARN}, {"rope_scaling": {**_YARN, "truncate": False}}),
    "llama, dynamic, past its length": ({"rope_scaling": None},),
    "gemma2": (
        _WINDOW,
        {"attn_logit_softcapping": None},
        {"final_logit_softcapping": None},
        {"query_pre_attn_scalar": 16},
    ),
    "gemma2, window 40": (_WINDOW,),
    "gemma3": (_WINDOW, {"rope_scaling": None}, {"rope_local_base_freq": 1000.0}, {"query_pre_attn_scalar": 16}),
    "gemma3, by layer types": (_WINDOW, {"final_logit_softcapping": None}),
    "phi3, window 8": (_WINDOW,),
    "phi3, longrope, short": ({"rope_scaling": None}, {"max_position_embeddings": 4096}),
    "phi3, longrope, long": ({"rope_scaling": {**_LONGROPE, "long_factor": [1.0, 1.25, 1.5, 2.0]}},),
    "smollm3": ({"no_rope_layers": [1, 1, 1]},),
    "smollm3, by interval": ({"no_rope_layer_interval": 3},),
    "granite": (
        {"embedding_multiplier": 1.0},
        {"logits_scaling": 1.0},
        {"residual_multiplier": 1.0},
        {"attention_multiplier": 0.35},
    ),
    "gpt2": ({"activation_function": "gelu"}, {"scale_attn_by_inverse_layer_idx": True}),
    "gpt_neox": ({"use_parallel_residual": False}, {"hidden_act": "gelu_fast"}, {"rotary_pct": 0.5}),
    "starcoder2": (_WINDOW,),
    "starcoder2, without biases": (_WINDOW,),
    "stablelm": ({"partial_rotary_factor": 0.5},),
    "cohere": ({"logit_scale": 1.0},),
    "cohere2": (_WINDOW,),
    "mixtral": ({"num_experts_per_tok": 3},),
    "mixtral, window 8": (_WINDOW,),
    "qwen2_moe": ({"norm_topk_prob": True}, {"num_experts_per_tok": 3}),
    "qwen2_moe, some layers": (_WINDOW, {"norm_topk_prob": False}),
    "qwen3_moe": ({"norm_topk_prob": False},),
    "gpt_oss": (_WINDOW, {"swiglu_limit": 7.0}, {"rope_scaling": {**_YARN, "truncate": True}}),
    "gpt_oss, window 40": (_WINDOW,),
}


def weights(case: str, shapes: dict[str, list[int]]) -> Arrays:
    """The tensors of a case, float32, by Hugging Face's names.

    Args:
        case: the case's name; each tensor's numbers follow from it and the tensor's name alone.
        shapes: tensor -> shape, as ``families.json`` has them.
    """
    return {name: _drawn(case, name, tuple(shape)) for name, shape in shapes.items()}


def in_blocks(shapes: dict[str, list[int]]) -> dict[str, list[int]]:
    """The shapes of a gpt-oss model whose experts are MXFP4, as its makers store them: blocks of 16 bytes, and scales.

    Their rows are the columns of the plain tensors (experts, columns, rows).
    """
    found: dict[str, list[int]] = {}
    for name, shape in shapes.items():
        if name.endswith(_EXPERTS):
            experts, cols, rows = shape
            found[f"{name}_blocks"] = [experts, rows, cols // 32, 16]
            found[f"{name}_scales"] = [experts, rows, cols // 32]
        else:
            found[name] = shape
    return found


def _drawn(case: str, name: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng([crc32(case.encode()), crc32(name.encode())])
    if name.endswith(("_blocks", "_scales")):
        return rng.integers(*((0, 256) if name.endswith("_blocks") else (122, 125)), shape, dtype=np.uint8)
    normal = rng.standard_normal(shape)
    if "norm" in name.rpartition(".")[0] or ".ln_" in name or name.startswith("ln_"):
        around = 0.0 if case.startswith("gemma") or name.endswith("bias") else 1.0  # Gemma stores what it adds to one
        return (around + 0.2 * normal).astype(np.float32)
    if name.endswith(("bias", "sinks")):
        return (0.5 * normal).astype(np.float32)
    gain = 3.0 if "router" in name or name.endswith(("mlp.gate.weight", "block_sparse_moe.gate.weight")) else 1.5
    return (gain * normal / np.sqrt(min(shape[-1], 64))).astype(np.float32)
