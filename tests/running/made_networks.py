"""A small random model of any declared network, made from its declaration alone."""

import numpy as np

from fourcc.encoding import encode
from fourcc.models.architecture import Architecture
from fourcc.models.transformer import Transformer
from fourcc.networks.network import Network

Arrays = dict[str, np.ndarray]
SIZES: dict[str, object] = {
    "dim": 12,
    "hidden_dim": 10,
    "n_layers": 2,
    "n_heads": 3,
    "n_kv_heads": 1,
    "head_dim": 4,
    "vocab_size": 7,
    "seq_len": 64,
    "norm_eps": 1e-6,
    "rope_theta": 10.0,
    "tied_embeddings": False,
    "n_experts": 4,
    "n_experts_used": 2,
    "expert_hidden_dim": 8,
    "shared_hidden_dim": 6,
    "expert_layers": [1, 0],
    "expert_scores": "softmax_of_chosen",
    "gate_limit": 0.5,
    "gate_alpha": 1.5,
}
TOKENS = [1, 2, 3, 4, 5, 6] * 2


def honest(network: Network) -> dict[str, object]:
    """Hyper-parameters of a small model: those that it needs, and the sizes of its tensors."""
    words = {word for tensor in network.tensors.values() for size in tensor.dims for word in size.split(" * ")}
    wanted = words | {name for name, key in network.keys.items() if key.needed} | {"tied_embeddings", "expert_layers"}
    return {name: SIZES[name] for name in SIZES if name in wanted and name in network.keys}


def tensors(network: Network, hyper: dict[str, object], *, optional: bool = False, seed: int = 0) -> Arrays:
    """Random tensors of such a model, float32; with `optional` also those that it need not have."""
    rng = np.random.default_rng(seed)
    found: Arrays = {}
    for template, tensor in network.tensors.items():
        if (tensor.needed and not (tensor.unless and hyper.get(tensor.unless))) or optional:
            for layer in range(int(str(hyper["n_layers"])) if "*" in template else 1):
                if tensor.is_in(layer, hyper):
                    shape = tensor.sizes(hyper)
                    found[template.replace("*", str(layer))] = rng.standard_normal(shape).astype("<f4")
    return found


def logits(network: Network, hyper: dict[str, object], arrays: Arrays, tokens: list[int] | None = None) -> bytes:
    """Logits of the last token."""
    find = {name: encode(array, "F32") for name, array in arrays.items()}.get
    made = Transformer(Architecture.of(network.name, hyper), find, threads=1)
    return made.forward(tokens or TOKENS).tobytes()
