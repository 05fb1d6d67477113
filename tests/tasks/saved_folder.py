"""The shipped model as transformers saves it: made by numpy and the package safetensors, without a line of fourcc."""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from tests.models import hugging_face
from tests.models.sample import EXAMPLE, Model

Array = NDArray[np.float32]


def halved(weights: Array, heads: int) -> Array:
    """Rows of each head (heads * size, dim), of which neighbours turn together, so that its halves do."""
    cut = weights.reshape(heads, -1, 2, weights.shape[1])  # (heads, size / 2, 2, dim)
    return np.ascontiguousarray(cut.transpose(0, 2, 1, 3).reshape(weights.shape))


def tensors(model: Model) -> dict[str, Array]:
    """Name -> weights; the embedding is the classifier, too, and is saved once."""
    found = {"model.embed_tokens.weight": model.tok_emb, "model.norm.weight": model.rms_final}
    for layer in range(model.n_layers):
        named = {
            "self_attn.q_proj": halved(model.wq[layer], model.n_heads),
            "self_attn.k_proj": halved(model.wk[layer], model.n_kv_heads),
            "self_attn.v_proj": model.wv[layer],
            "self_attn.o_proj": model.wo[layer],
            "mlp.gate_proj": model.w1[layer],
            "mlp.down_proj": model.w2[layer],
            "mlp.up_proj": model.w3[layer],
            "input_layernorm": model.rms_att[layer],
            "post_attention_layernorm": model.rms_ffn[layer],
        }
        found |= {f"model.layers.{layer}.{name}.weight": weights for name, weights in named.items()}
    return found


def config(model: Model) -> dict[str, object]:
    """The keys of a config.json that tell how to run it, and some of the many that do not."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "head_dim": model.head_size,
        "hidden_act": "silu",
        "hidden_size": model.dim,
        "initializer_range": 0.02,
        "intermediate_size": model.hidden_dim,
        "max_position_embeddings": model.seq_len,
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": model.n_heads,
        "num_hidden_layers": model.n_layers,
        "num_key_value_heads": model.n_kv_heads,
        "pretraining_tp": 1,
        "rms_norm_eps": 1e-05,
        "rope_scaling": None,
        "rope_theta": 10000.0,
        "tie_word_embeddings": True,
        "torch_dtype": "float32",
        "use_cache": True,
        "vocab_size": model.vocab_size,
    }


def save(folder: Path) -> None:
    """Writes the folder."""
    folder.mkdir()
    model = Model(EXAMPLE / "tiny.bin")
    save_file(tensors(model), folder / "model.safetensors", metadata={"format": "pt"})
    for name, text in {**hugging_face.files(), "config.json": json.dumps(config(model), indent=2)}.items():
        (folder / name).write_text(text, encoding="utf-8")
