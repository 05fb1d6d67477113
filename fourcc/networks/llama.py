"""The Llama family: RMSNorm, rotated grouped-query attention, SwiGLU; optionally biases and windows."""

from __future__ import annotations

from collections.abc import Iterator

from fourcc.networks.hyper import SMALLEST, Hyper, count, flag, flags, number, numbers, shown, text
from fourcc.networks.network import Network, Refusal, Tensor

SCALING = "rope_scaling."
ORIGINAL = "original_max_position_embeddings"
_TURN = 1e-9  # least base or factor: from here on the turns of 2^31 positions are finite in float32

_Q, _KV = "n_heads * head_dim", "n_kv_heads * head_dim"
_MATRICES = {
    "attention.wq": (_Q, "dim"),
    "attention.wk": (_KV, "dim"),
    "attention.wv": (_KV, "dim"),
    "attention.wo": ("dim", _Q),
    "feed_forward.w1": ("hidden_dim", "dim"),
    "feed_forward.w2": ("dim", "hidden_dim"),
    "feed_forward.w3": ("hidden_dim", "dim"),
}
_OPTIONAL = ("attention.q_norm", "attention.k_norm", *(f"{name}.bias" for name in _MATRICES))
_VECTORS = {
    "attention_norm": ("dim",),
    "ffn_norm": ("dim",),
    "attention.q_norm": ("head_dim",),
    "attention.k_norm": ("head_dim",),
    **{f"{name}.bias": dims[:1] for name, dims in _MATRICES.items()},
}
LAYER = {name: Tensor(dims, name not in _OPTIONAL) for name, dims in {**_VECTORS, **_MATRICES}.items()}

# Kind of scaling -> the hyper-parameters that it uses.
SCALINGS: dict[str, tuple[str, ...]] = {
    "default": (),
    "linear": ("factor",),
    "llama3": ("factor", "low_freq_factor", "high_freq_factor", ORIGINAL),
    "factors": ("factors",),
}


def _between(hyper: Hyper) -> Iterator[Refusal]:
    """Refusals of keys that contradict each other."""
    heads, kv_heads, head = (hyper[name] for name in ("n_heads", "n_kv_heads", "head_dim"))
    assert isinstance(heads, int)
    assert isinstance(kv_heads, int)
    assert isinstance(head, int)
    if heads % kv_heads:
        yield _wrong("n_kv_heads", kv_heads, f"a divisor of the {heads} heads")
    if head % 2:
        yield _wrong("head_dim", head, "an even number, for pairs are rotated")
    if hyper.get("rope_dim", head) != head:
        yield Refusal("rope_dim", found=shown(hyper["rope_dim"]), expected=f"{head}, the whole head", unknown=True)
    yield from _scaling(hyper, head)
    yield from _window(hyper)


def _window(hyper: Hyper) -> Iterator[Refusal]:
    layers = hyper.get("sliding_window_layers")
    if layers is None:
        return
    assert isinstance(layers, (list, tuple))
    if "sliding_window" not in hyper:
        yield Refusal("its hyper-parameter sliding_window is missing", expected="an integer: some layers have a window")
    if len(layers) != hyper["n_layers"]:
        yield _wrong("sliding_window_layers", f"{len(layers)} layers", f"{hyper['n_layers']}, n_layers")


def _scaling(hyper: Hyper, head: int) -> Iterator[Refusal]:
    """Refusals of a scaling of the rotation: keys that it lacks, and impossible values."""
    kind = hyper.get(f"{SCALING}type", "default" if not any(name.startswith(SCALING) for name in hyper) else None)
    if kind not in SCALINGS:  # an unknown type is refused by its own key
        if kind is None:
            yield Refusal(f"its hyper-parameter {SCALING}type is missing", expected=", ".join(SCALINGS))
        return
    lacking = [f"{SCALING}{name}" for name in SCALINGS[str(kind)] if f"{SCALING}{name}" not in hyper]
    for name in lacking:
        yield Refusal(f"its hyper-parameter {name} is missing", expected=f"a number, for rope scaling {kind!r}")
    if lacking:
        return
    if kind == "factors":
        factors = hyper[f"{SCALING}factors"]
        assert isinstance(factors, (list, tuple))
        if len(factors) != head // 2:
            yield _wrong(f"{SCALING}factors", f"{len(factors)} factors", f"{head // 2}, one a pair")
    low, high = (hyper.get(f"{SCALING}{end}_freq_factor") for end in ("low", "high"))
    if kind == "llama3" and not float(str(low)) < float(str(high)):
        yield _wrong(f"{SCALING}high_freq_factor", high, f"more than low_freq_factor {low}")


def _wrong(name: str, found: object, expected: str) -> Refusal:
    return Refusal(
        f"its hyper-parameter {name}", found=found if isinstance(found, str) else shown(found), expected=expected
    )


LLAMA = Network(
    name="llama",
    tensors={
        "tok_embeddings": Tensor(("vocab_size", "dim")),
        **{f"layers.*.{name}": tensor for name, tensor in LAYER.items()},
        "norm": Tensor(("dim",)),
        "output": Tensor(("vocab_size", "dim"), unless="tied_embeddings"),
    },
    keys={
        **{name: count(needed=True) for name in ("dim", "hidden_dim", "n_layers", "n_heads", "n_kv_heads")},
        **{name: count(needed=True) for name in ("head_dim", "vocab_size", "seq_len")},
        "norm_eps": number(SMALLEST, needed=True),
        "rope_theta": number(_TURN, needed=True),
        "rope_pairing": text("adjacent"),
        "rope_dim": count(),
        f"{SCALING}type": text(*SCALINGS),
        f"{SCALING}factor": number(_TURN),
        f"{SCALING}low_freq_factor": number(_TURN),
        f"{SCALING}high_freq_factor": number(_TURN),
        f"{SCALING}{ORIGINAL}": number(1),
        f"{SCALING}factors": numbers(_TURN),
        "hidden_act": text("silu"),
        "tied_embeddings": flag(),
        "sliding_window": count(),
        "sliding_window_layers": flags(),
    },
    information=frozenset({"bos_token_id", "eos_token_id"}),
    between=_between,
)
