"""The common ground of networks: tensors of a layer, hyper-parameters and their contradictions.

A network's own file takes from here what it has, and adds what it has alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fourcc.networks.hyper import SMALLEST, Hyper, Key, count, flag, flags, number, text
from fourcc.networks.network import PARALLEL, Refusal, Tensor, wrong
from fourcc.networks.scaling import SCALING_KEYS, refused_scaling
from fourcc.networks.steps import ATTENTION, Add, FeedForward, MixExperts, Norm

TURN = 1e-9  # least base or factor: from here on the turns of 2^31 positions are finite in float32

Q, KV = "n_heads * head_dim", "n_kv_heads * head_dim"
ATTENTION_MATRICES = {
    "attention.wq": (Q, "dim"),
    "attention.wk": (KV, "dim"),
    "attention.wv": (KV, "dim"),
    "attention.wo": ("dim", Q),
}
GATED = {
    "feed_forward.w1": ("hidden_dim", "dim"),
    "feed_forward.w2": ("dim", "hidden_dim"),
    "feed_forward.w3": ("hidden_dim", "dim"),
}
PLAIN = {name: dims for name, dims in GATED.items() if name != "feed_forward.w1"}  # a feed-forward network without gate
NORMS = {"attention_norm": ("dim",), "ffn_norm": ("dim",)}
HEAD_NORMS = {"attention.q_norm": ("head_dim",), "attention.k_norm": ("head_dim",)}
EACH_HEAD_NORMS = {"attention.q_norm": ("n_heads", "head_dim"), "attention.k_norm": ("n_kv_heads", "head_dim")}
POST_NORMS = {"attention_post_norm": ("dim",), "ffn_post_norm": ("dim",)}

# Experts of a layer: scores that choose, a stack for each matrix; an expert that all activations go through, its gate.
EXPERTS = {
    "feed_forward.router": ("n_experts", "dim"),
    "feed_forward.experts.w1": ("n_experts", "expert_hidden_dim", "dim"),
    "feed_forward.experts.w2": ("n_experts", "dim", "expert_hidden_dim"),
    "feed_forward.experts.w3": ("n_experts", "expert_hidden_dim", "dim"),
}
SHARED = {
    "feed_forward.shared.w1": ("shared_hidden_dim", "dim"),
    "feed_forward.shared.w2": ("dim", "shared_hidden_dim"),
    "feed_forward.shared.w3": ("shared_hidden_dim", "dim"),
    "feed_forward.shared_gate": ("1", "dim"),
}

# Norm, attention, norm, feed-forward network, each added to what came in.
PRE_NORM = (Norm("attention_norm"), *ATTENTION, Add(), Norm("ffn_norm"), FeedForward(), Add())
# Likewise with experts; a layer has either of both.
PRE_NORM_EXPERTS = (Norm("attention_norm"), *ATTENTION, Add(), Norm("ffn_norm"), FeedForward(), MixExperts(), Add())

# The same, and what is added is normalized before.
PRE_AND_POST_NORM = (
    *(Norm("attention_norm"), *ATTENTION, Norm("attention_post_norm", "added", "added"), Add()),
    *(Norm("ffn_norm"), FeedForward(), Norm("ffn_post_norm", "added", "added"), Add()),
)

# Attention and the feed-forward network both take what came in, through a norm of each or, without ffn_norm, the same.
PARALLEL_STEPS = (Norm("attention_norm"), *ATTENTION, Norm("ffn_norm"), Add(), FeedForward(), Add())

Dims = Mapping[str, tuple[str, ...]]


def needed(*tables: Dims) -> dict[str, Tensor]:
    """Tensors that every layer has."""
    return {name: Tensor(dims) for table in tables for name, dims in table.items()}


def in_layers(flags: str, *tables: Dims) -> dict[str, Tensor]:
    """Tensors of the layers that a hyper-parameter flags."""
    return {name: Tensor(dims, flagged=flags) for table in tables for name, dims in table.items()}


def in_other_layers(flags: str, *tables: Dims) -> dict[str, Tensor]:
    """Tensors of the layers that a hyper-parameter does not flag."""
    return {name: Tensor(dims, unflagged=flags) for table in tables for name, dims in table.items()}


def optional(*tables: Dims) -> dict[str, Tensor]:
    """Tensors that a layer may have."""
    return {name: Tensor(dims, needed=False) for table in tables for name, dims in table.items()}


def biases(*tables: Dims) -> dict[str, tuple[str, ...]]:
    """The biases of matrices, and of norms; a stack of matrices has a row of them for each."""
    return {f"{name}.bias": dims[:-1] if len(dims) > 1 else dims for table in tables for name, dims in table.items()}


def model(layer: Mapping[str, Tensor], **others: Tensor) -> dict[str, Tensor]:
    """All tensors of a network, from those of a layer: with embedding, last norm and output matrix."""
    return {
        "tok_embeddings": Tensor(("vocab_size", "dim")),
        **{f"layers.*.{name}": tensor for name, tensor in layer.items()},
        "norm": Tensor(("dim",)),
        "output": Tensor(("vocab_size", "dim"), unless="tied_embeddings"),
        **others,
    }


SIZES: dict[str, Key] = {
    name: count(needed=True)
    for name in ("dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads", "head_dim", "vocab_size", "seq_len")
}
ROTATION: dict[str, Key] = {
    "rope_theta": number(TURN, needed=True),
    "rope_pairing": text("adjacent"),
    "rope_dim": count(),
    **SCALING_KEYS,
}
WINDOW: dict[str, Key] = {"sliding_window": count(), "sliding_window_layers": flags()}
UNROTATED: dict[str, Key] = {**SIZES, "norm_eps": number(SMALLEST, needed=True), "tied_embeddings": flag()}
COMMON: dict[str, Key] = {**UNROTATED, **ROTATION}
INFORMATION = frozenset({"bos_token_id", "eos_token_id"})
ACTS = ("silu", "gelu_tanh", "gelu", "relu")

EXPERT_SIZES: dict[str, Key] = {
    name: count(needed=True) for name in ("n_experts", "n_experts_used", "expert_hidden_dim")
}
# Of networks all of whose layers have experts: no tensor has the width of a feed-forward network without them, which
# files state nevertheless.
ONLY_EXPERTS: dict[str, Key] = {**{name: key for name, key in COMMON.items() if name != "hidden_dim"}, **EXPERT_SIZES}
BESIDE_EXPERTS = INFORMATION | {"hidden_dim"}

# What only some networks heed; each takes its own by `some`.
_SOME: dict[str, Key] = {
    "hidden_act": text(*ACTS),
    "norm_offset": number(-1e6),
    "attention_scale": number(SMALLEST),
    **{f"{where}_softcap": number(SMALLEST) for where in ("attention", "output")},
    **{f"{where}_scale": number(SMALLEST) for where in ("embedding", "residual", "output")},
    "rope_local_theta": number(TURN),
    "rope_layers": flags(),
    PARALLEL: flag(),
    "expert_layers": flags(),
    "expert_weights_normalized": flag(),
}


def some(*names: str) -> dict[str, Key]:
    """Hyper-parameters that only some networks heed, by name."""
    return {name: _SOME[name] for name in names}


def contradictions(hyper: Hyper) -> Iterator[Refusal]:
    """Refusals of sizes, of a rotation and of windows that contradict each other."""
    heads, kv_heads, head = (hyper[name] for name in ("n_heads", "n_kv_heads", "head_dim"))
    assert isinstance(heads, int)
    assert isinstance(kv_heads, int)
    assert isinstance(head, int)
    if heads % kv_heads:
        yield wrong("n_kv_heads", kv_heads, f"a divisor of the {heads} heads")
    if head % 2:
        yield wrong("head_dim", head, "an even number, for pairs are rotated")
    turned = hyper.get("rope_dim", head)
    assert isinstance(turned, int)
    if turned > head or turned % 2:
        yield wrong("rope_dim", turned, f"an even number up to {head}, the whole head")
    yield from refused_scaling(hyper, turned)
    yield from flags_of_layers(hyper, "sliding_window_layers", "sliding_window")
    yield from flags_of_layers(hyper, "rope_layers")
    yield from flags_of_layers(hyper, "expert_layers", "n_experts")


def contradictions_of_experts(hyper: Hyper) -> Iterator[Refusal]:
    """Refusals of sizes that contradict each other, those of experts among them."""
    yield from contradictions(hyper)
    experts, used = hyper["n_experts"], hyper["n_experts_used"]
    assert isinstance(experts, int)
    assert isinstance(used, int)
    if used > experts:
        yield wrong("n_experts_used", used, f"at most {experts}, n_experts")


def flags_of_layers(hyper: Hyper, name: str, beside: str | None = None) -> Iterator[Refusal]:
    """Refusals of flags for layers: not as many as layers, or without the number that the layers have."""
    layers = hyper.get(name)
    if layers is None:
        return
    assert isinstance(layers, (list, tuple))
    if beside is not None and beside not in hyper:
        yield Refusal(f"its hyper-parameter {beside} is missing", expected=f"it, for {name} says which layers have it")
    if len(layers) != hyper["n_layers"]:
        yield wrong(name, f"{len(layers)} layers", f"{hyper['n_layers']}, n_layers")
