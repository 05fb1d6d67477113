"""Words and layers that the configs of several families have in common, as transformers 5.24 reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fourcc.networks.hyper import Hyper
from fourcc.networks.spelling import ABSENT, Config, Found, RotationWords, WindowWords, Word

_LONGEST = 1 << 16  # flags of layers that are listed; an impossible number of layers is refused later
# Hugging Face's names of activations -> ours; `gelu_fast` and `gelu_new` are two ways to write one formula.
ACTIVATIONS = {
    "silu": "silu",
    "swish": "silu",
    "gelu": "gelu",
    "gelu_python": "gelu",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_new": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "relu": "relu",
}
_BACK = {"silu": "silu", "gelu": "gelu", "gelu_tanh": "gelu_pytorch_tanh", "relu": "relu"}


def _heads(hyper: Hyper) -> object:
    return hyper["n_heads"]


def _head_dim(hyper: Hyper) -> int:
    return int(str(hyper["dim"])) // int(str(hyper["n_heads"]))


DIM = Word("dim", "hidden_size", "embedding_length")
HIDDEN = Word("hidden_dim", "intermediate_size", "feed_forward_length")
LAYERS = Word("n_layers", "num_hidden_layers", "block_count")
HEADS = Word("n_heads", "num_attention_heads", "attention.head_count")
KV_HEADS = Word("n_kv_heads", "num_key_value_heads", "attention.head_count_kv", default=_heads)
HEAD_DIM = Word("head_dim", "head_dim", "attention.key_length", default=_head_dim)
VOCABULARY = Word("vocab_size", "vocab_size", "vocab_size")
CONTEXT = Word("seq_len", "max_position_embeddings", "context_length")
SIZES = (DIM, HIDDEN, LAYERS, HEADS, VOCABULARY, CONTEXT, KV_HEADS, HEAD_DIM)
WIDTH_FOLLOWS = Word("head_dim", None, "attention.key_length", default=_head_dim)  # a class without a key for it

RMS = Word("norm_eps", "rms_norm_eps", "attention.layer_norm_rms_epsilon", "number", 1e-6)


def layer_norm(key: str = "layer_norm_eps") -> Word:
    """The word for what a LayerNorm adds to the variance."""
    return Word("norm_eps", key, "attention.layer_norm_epsilon", "number", 1e-5)


def _activation(said: object) -> object:
    return ACTIVATIONS.get(str(said), str(said))


def activation(default: str = "silu", key: str = "hidden_act", back: Mapping[str, str] = _BACK) -> Word:
    """The word for the activation of the feed-forward network."""
    write = {**_BACK, **back}
    return Word(
        "hidden_act",
        key,
        "hidden_activation",
        "text",
        default,
        read=_activation,
        write=lambda ours: write.get(str(ours), ours),
    )


def scale(hyper: str, key: str | None, gguf: str | None, default: object = ABSENT) -> Word:
    """The word for a number that something is multiplied by, or capped at; null says that nothing is."""
    return Word(hyper, key, gguf, "number", default, nullable=True)


PARTIAL = RotationWords(partial=1.0)  # a class that turns some columns of a head, all where its config is silent

QKV_BIASES = tuple(f"attention.{name}.bias" for name in ("wq", "wk", "wv"))
QKVO_BIASES = (*QKV_BIASES, "attention.wo.bias")
MLP_BIASES = tuple(f"feed_forward.{name}.bias" for name in ("w1", "w2", "w3"))
HEAD_NORMS = ("attention.q_norm", "attention.k_norm")


# -- layers with a window


def every(default: int, key: str | None = None, *, first: int = 0) -> Callable[[Config, int], list[int]]:
    """1 for each layer, but 0 for every n-th.

    Args:
        default: n, where the config does not state it.
        key: the key that states it; None: no key does.
        first: unused layers before the pattern begins.
    """

    def layers(config: Config, count: int) -> list[int]:
        step = default if key is None else config.count(key, default)
        return [int((layer + 1 - first) % step != 0) for layer in range(min(count, _LONGEST))]

    return layers


def from_layer(config: Config, count: int) -> list[int]:
    """1 for the layers from ``max_window_layers`` on."""
    full = _integer(config, "max_window_layers", 28)
    if full <= 0 or full >= count:
        return [int(full <= 0)]
    return [int(layer >= full) for layer in range(min(count, _LONGEST))]


def even_below(config: Config, count: int) -> list[int]:
    """1 for every other layer below ``max_window_layers``."""
    full = _integer(config, "max_window_layers", 28)
    return [int(layer % 2 == 0 and layer < full) for layer in range(min(count, _LONGEST))]


def _integer(config: Config, key: str, default: int) -> int:
    value = config.fields.get(key, default)
    if type(value) is not int:
        raise config.refusal(key, value, "an integer")
    return value


ALTERNATING = WindowWords(4096, layers=every(2))
BY_LAYERS = WindowWords(4096, switch=True, layers=from_layer, keys=("max_window_layers",))
ALWAYS = WindowWords(types=False)  # all layers have a window that is stated


# -- flags of layers


def flags(config: Config, key: str, count: int) -> list[int] | None:
    """A list of a 0 or 1 for each layer; None where the config has none."""
    value = config.fields.get(key)
    if value is None:
        return None
    if not isinstance(value, list) or any(item not in (0, 1) for item in value) or len(value) < count:
        raise config.refusal(key, value, f"a list of 0 and 1, {count} of them")
    return [int(item) for item in value[:count]]


def unless_all(name: str, layers: list[int]) -> Found:
    """The flags as a hyper-parameter, where not all are 1."""
    return {} if all(layers) else {name: layers}
