"""Small models whose logits transformers was asked for: configs, and weights made from a seed. Imports only numpy.

``tests/lanes/transformers_logits.py`` asks transformers and stores its answers; `test_transformers` compares ours.
"""

from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]
TOKENS = [int(token) for token in np.random.default_rng(11).integers(0, 48, 240)]
PLACES = (0, 7, 8, 15, 39, 40, 47, 64, 207, 239)  # tokens behind which logits are stored; 47 and 239 pass 40 by 8, 200
_SIZES = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 48,
    "max_position_embeddings": 256,
    "rms_norm_eps": 1e-6,
    "tie_word_embeddings": False,
    "rope_theta": 10000.0,
}
_CLASSES = {"llama": "Llama", "mistral": "Mistral", "qwen2": "Qwen2", "qwen3": "Qwen3"}
_LLAMA3 = {"rope_type": "llama3", "factor": 4.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0}
_FIRST_FULL = {"use_sliding_window": True, "max_window_layers": 1}
_BY_NAME = {"layer_types": ["sliding_attention", "full_attention", "sliding_attention"], "use_sliding_window": True}


def _config(family: str, **more: object) -> dict[str, Any]:
    return {"model_type": family, "architectures": [f"{_CLASSES[family]}ForCausalLM"], **_SIZES, **more}


CASES: dict[str, dict[str, Any]] = {
    "llama": _config("llama"),
    "llama, biases of the MLP": _config("llama", mlp_bias=True),
    "llama, all biases": _config("llama", mlp_bias=True, attention_bias=True),
    "llama, tied by name only": _config("llama", tie_word_embeddings=True),
    "llama, two maps of the rotation": _config(
        "llama",
        rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 500.0},
        rope_scaling={"type": "linear", "factor": 4.0},
    ),
    "llama, llama3": _config("llama", rope_scaling=_LLAMA3, original_max_position_embeddings=32),
    "llama, keys that are passed over": _config(
        "llama", sliding_window=8, partial_rotary_factor=0.5, logit_scale=3.0, hidden_act="swish"
    ),
    "mistral": _config("mistral", sliding_window=None),
    "mistral, window 8": _config("mistral", sliding_window=8),
    "mistral, window 40": _config("mistral", sliding_window=40),
    "qwen2, window 8": _config("qwen2", sliding_window=8, **_FIRST_FULL),
    "qwen2, window 40": _config("qwen2", sliding_window=40, **_FIRST_FULL),
    "qwen2, window that is off": _config("qwen2", sliding_window=8, use_sliding_window=False, max_window_layers=1),
    "qwen3, window 8": _config("qwen3", sliding_window=8, head_dim=12, **_BY_NAME),
    "qwen3, window 40": _config("qwen3", sliding_window=40, head_dim=12, attention_bias=True, **_BY_NAME),
}


def weights(name: str) -> Arrays:
    """The tensors of a case, float32, by Hugging Face's names."""
    rng = np.random.default_rng(sum(name.encode()))
    return {tensor: _drawn(rng, tensor, shape) for tensor, shape in _shapes(CASES[name]).items()}


def _drawn(rng: np.random.Generator, tensor: str, shape: tuple[int, ...]) -> np.ndarray:
    normal = rng.standard_normal(shape)
    if len(shape) == 2:
        return (1.5 * normal / np.sqrt(shape[1])).astype(np.float32)
    return (0.5 * normal if tensor.endswith(".bias") else 1 + 0.2 * normal).astype(np.float32)


def _shapes(config: dict[str, Any]) -> dict[str, tuple[int, ...]]:
    dim, hidden, heads = (config[key] for key in ("hidden_size", "intermediate_size", "num_attention_heads"))
    head = config.get("head_dim", dim // heads)
    q, kv = heads * head, config["num_key_value_heads"] * head
    biases = {"qwen2": ("q_proj", "k_proj", "v_proj")}.get(config["model_type"], ())
    if config.get("attention_bias"):
        biases = ("q_proj", "k_proj", "v_proj", "o_proj")
    attention = {"q_proj": (q, dim), "k_proj": (kv, dim), "v_proj": (kv, dim), "o_proj": (dim, q)}
    mlp = {"gate_proj": (hidden, dim), "up_proj": (hidden, dim), "down_proj": (dim, hidden)}
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (config["vocab_size"], dim)}
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}"
        shapes |= {f"{at}.self_attn.{name}.weight": shape for name, shape in attention.items()}
        shapes |= {f"{at}.self_attn.{name}.bias": attention[name][:1] for name in biases}
        shapes |= {f"{at}.mlp.{name}.weight": shape for name, shape in mlp.items()}
        if config.get("mlp_bias"):
            shapes |= {f"{at}.mlp.{name}.bias": shape[:1] for name, shape in mlp.items()}
        if config["model_type"] == "qwen3":
            shapes |= {f"{at}.self_attn.{name}.weight": (head,) for name in ("q_norm", "k_norm")}
        shapes |= {f"{at}.{name}.weight": (dim,) for name in ("input_layernorm", "post_attention_layernorm")}
    return shapes | {"model.norm.weight": (dim,), "lm_head.weight": (config["vocab_size"], dim)}
