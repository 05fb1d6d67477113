"""The forward pass against a float64 one, written from the description, on small random models of every kind."""

import attrs
import numpy as np
import pytest
from numpy.typing import NDArray

from fourcc.encoding import encode
from fourcc.errors import InputError, UsageError
from fourcc.kernels.simd.target import multiplies_bfloat16s
from fourcc.models.architecture import Architecture
from fourcc.models.stages import BATCH
from fourcc.models.transformer import Transformer
from fourcc.qmatrix import QMatrix

Array = NDArray[np.float64]
BASE = {
    "dim": 48,
    "hidden_dim": 84,
    "n_layers": 2,
    "n_heads": 6,
    "n_kv_heads": 2,
    "head_dim": 8,
    "vocab_size": 70,
    "seq_len": 400,
    "norm_eps": 1e-5,
    "rope_theta": 10000.0,
}
LLAMA3 = {
    "rope_scaling.type": "llama3",
    "rope_scaling.factor": 8.0,
    "rope_scaling.low_freq_factor": 1.0,
    "rope_scaling.high_freq_factor": 4.0,
    "rope_scaling.original_max_position_embeddings": 64,
}
KINDS = {
    "grouped heads": {},
    "all heads": {"n_kv_heads": 6},
    "one head for all": {"n_kv_heads": 1},
    "wide heads": {"head_dim": 20},
    "untied": {"untied": True},
    "biases": {"biases": True},
    "biases of the MLP": {"mlp_biases": True},
    "norms of q and k": {"norms": True},
    "window": {"sliding_window": 50},
    "window in one layer": {"sliding_window": 7, "sliding_window_layers": [0, 1]},
    "linear scaling": {"rope_scaling.type": "linear", "rope_scaling.factor": 2.0},
    "llama3 scaling": LLAMA3,
}
every_kind = pytest.mark.parametrize("kind", KINDS)


@attrs.frozen
class Case:
    """A model: its sizes, and its weights in float64."""

    architecture: Architecture
    weights: dict[str, Array]

    def quantized(self, tag: str = "F32") -> dict[str, QMatrix]:
        """The matrices in a format; vectors as floats."""
        tags = {name: tag if w.ndim == 2 else "F32" for name, w in self.weights.items()}
        return {name: encode(w.astype(np.float32), tags[name], name=name) for name, w in self.weights.items()}


def case(kind: str, **more: object) -> Case:
    """A random model of a kind."""
    given = {**BASE, **KINDS.get(kind, {}), **more}
    kinds = ("untied", "biases", "norms", "mlp_biases")
    untied, biases, norms, mlp_biases = (bool(given.pop(name, False)) for name in kinds)
    a = Architecture.of("llama", given)
    rng = np.random.default_rng(7)
    q, kv = a.n_heads * a.head_dim, a.n_kv_heads * a.head_dim

    def matrix(rows: int, cols: int) -> Array:
        return (rng.standard_normal((rows, cols)) / np.sqrt(cols)).astype(np.float32).astype(np.float64)

    def vector(size: int, middle: float) -> Array:
        return (middle + 0.2 * rng.standard_normal(size)).astype(np.float32).astype(np.float64)

    weights = {"tok_embeddings": matrix(a.vocab_size, a.dim), "norm": vector(a.dim, 1)}
    if untied:
        weights["output"] = matrix(a.vocab_size, a.dim)
    for layer in range(a.n_layers):
        at = f"layers.{layer}."
        shapes = {"wq": (q, a.dim), "wk": (kv, a.dim), "wv": (kv, a.dim), "wo": (a.dim, q)}
        weights |= {f"{at}attention.{name}": matrix(*shape) for name, shape in shapes.items()}
        if biases:
            weights |= {f"{at}attention.{name}.bias": vector(shape[0], 0) for name, shape in shapes.items()}
        if norms:
            weights |= {f"{at}attention.{name}_norm": vector(a.head_dim, 1) for name in "qk"}
        weights |= {f"{at}{name}": vector(a.dim, 1) for name in ("attention_norm", "ffn_norm")}
        weights |= {f"{at}feed_forward.{name}": matrix(a.hidden_dim, a.dim) for name in ("w1", "w3")}
        weights[f"{at}feed_forward.w2"] = matrix(a.dim, a.hidden_dim)
        if mlp_biases:
            sizes = {"w1": a.hidden_dim, "w2": a.dim, "w3": a.hidden_dim}
            weights |= {f"{at}feed_forward.{name}.bias": vector(size, 0) for name, size in sizes.items()}
    return Case(a, weights)


# -- the slow truth


def slow_logits(model: Case, tokens: list[int]) -> Array:
    """Logits after each token, (tokens, vocab_size)."""
    a, w = model.architecture, model.weights
    x = w["tok_embeddings"][tokens]  # (tokens, dim)
    for layer in range(a.n_layers):
        at = f"layers.{layer}."
        normed = rms(x, w[f"{at}attention_norm"], a.norm_eps)
        q, k, v = (normed @ w[f"{at}attention.{n}"].T + w.get(f"{at}attention.{n}.bias", 0) for n in ("wq", "wk", "wv"))
        q, k = (heads(each, a.head_dim) for each in (q, k))
        if f"{at}attention.q_norm" in w:
            q, k = (rms(each, w[f"{at}attention.{n}_norm"], a.norm_eps) for each, n in ((q, "q"), (k, "k")))
        mixed = attention(turned(q, model), turned(k, model), heads(v, a.head_dim), a.window_of(layer))
        x = x + mixed @ w[f"{at}attention.wo"].T + w.get(f"{at}attention.wo.bias", 0)
        normed = rms(x, w[f"{at}ffn_norm"], a.norm_eps)
        gate, up = (
            normed @ w[f"{at}feed_forward.{n}"].T + w.get(f"{at}feed_forward.{n}.bias", 0) for n in ("w1", "w3")
        )
        down = (gate / (1 + np.exp(-gate)) * up) @ w[f"{at}feed_forward.w2"].T
        x = x + down + w.get(f"{at}feed_forward.w2.bias", 0)
    return rms(x, w["norm"], a.norm_eps) @ w.get("output", w["tok_embeddings"]).T


def rms(x: Array, weight: Array, epsilon: float) -> Array:
    """RMSNorm along the last axis."""
    return weight * x / np.sqrt((x * x).mean(axis=-1, keepdims=True) + epsilon)


def heads(x: Array, size: int) -> Array:
    """(tokens, heads * size) -> (tokens, heads, size)."""
    return x.reshape(len(x), -1, size)


def turned(x: Array, model: Case) -> Array:
    """Adjacent pairs as complex numbers, each turned by its position times its frequency."""
    a, scaling = model.architecture, dict(model.architecture.rope_scaling)
    frequencies = a.rope_theta ** (-np.arange(0, a.head_dim, 2) / a.head_dim)
    if scaling.get("type") == "linear":
        frequencies = frequencies / float(str(scaling["factor"]))
    if scaling.get("type") == "llama3":
        frequencies = np.array([llama3(f, scaling) for f in frequencies])
    angles = np.arange(len(x))[:, None, None] * frequencies
    pairs = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(1j * angles)
    return np.stack([pairs.real, pairs.imag], axis=-1).reshape(x.shape)


def llama3(frequency: float, scaling: dict[str, object]) -> float:
    """The published rule, branch by branch."""
    factor, low, high = (float(str(scaling[n])) for n in ("factor", "low_freq_factor", "high_freq_factor"))
    original = float(str(scaling["original_max_position_embeddings"]))
    length = 2 * np.pi / frequency
    if length < original / high:
        return frequency
    if length > original / low:
        return frequency / factor
    smooth = (original / length - low) / (high - low)
    return float((1 - smooth) * frequency / factor + smooth * frequency)


def attention(q: Array, k: Array, v: Array, window: int | None) -> Array:
    """Causal attention over the last positions; each key head serves a group of query heads."""
    group = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, group, axis=1), np.repeat(v, group, axis=1)
    scores = np.einsum("ihd,jhd->hij", q, k) / np.sqrt(q.shape[2])
    scores[:, np.triu(np.ones(scores.shape[1:], bool), 1)] = -np.inf
    if window is not None:
        scores[:, np.tril(np.ones(scores.shape[1:], bool), -window)] = -np.inf
    weights = np.exp(scores - scores.max(axis=2, keepdims=True))
    weights /= weights.sum(axis=2, keepdims=True)
    return np.einsum("hij,jhd->ihd", weights, v).reshape(len(q), -1)


TOKENS = [int(token) for token in np.random.default_rng(3).integers(0, 70, 300)]


def relative(found: NDArray[np.float32], wanted: Array) -> float:
    """The largest difference, by the largest logit."""
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


# -- tests


@every_kind
def test_a_prompt_gives_the_logits_of_the_slow_truth(kind: str) -> None:
    """More tokens than a batch has, so that a batch meets the keys of the one before."""
    model = case(kind)
    assert len(TOKENS) > BATCH
    found = Transformer(model.architecture, model.quantized().get).forward(TOKENS, every=True)
    assert relative(found, slow_logits(model, TOKENS)) < 1e-4


@every_kind
def test_token_by_token_gives_the_same(kind: str) -> None:
    """Logits of the last token alone, which a prompt needs, agree, too."""
    model, tokens = case(kind), TOKENS[:40]
    wanted = slow_logits(model, tokens)
    network = Transformer(model.architecture, model.quantized().get, threads=1)
    found = np.concatenate([network.forward([token]).copy() for token in tokens])
    assert relative(found, wanted) < 1e-4
    network.reset()
    assert relative(network.forward(tokens), wanted[-1:]) < 1e-4


def test_the_number_of_threads_does_not_show() -> None:
    """Logits are equal bit for bit, in a prompt and token by token."""
    model = case("grouped heads", dim=256, hidden_dim=512, n_heads=8, n_kv_heads=4, head_dim=32, vocab_size=600)
    found = []
    for threads in (1, 2, 3, 5):
        network = Transformer(model.architecture, model.quantized("Q8_0").get, threads=threads)
        found.append(np.concatenate([network.forward(TOKENS[:70], every=True), network.forward([5])]))
    for each in found[1:]:
        np.testing.assert_array_equal(each, found[0])


@pytest.mark.parametrize("tag", ["F16", "BF16", "Q8_A", "Q8_B", "Q8_0", "Q4_A"])
def test_a_quantized_model_is_near_the_one_of_its_decoded_weights(tag: str) -> None:
    """The remaining difference is the quantization of activations."""
    model = case("untied", dim=64, hidden_dim=96, n_heads=8, head_dim=8)
    quantized = model.quantized(tag)
    decoded = Case(model.architecture, {name: q.decode().astype(np.float64) for name, q in quantized.items()})
    found = Transformer(model.architecture, quantized.get).forward(TOKENS[:50], every=True)
    rounded = tag == "BF16" and multiplies_bfloat16s()
    limit = 0.05 if tag.startswith("Q8") else 0.02 if rounded else 1e-4
    assert relative(found, slow_logits(decoded, TOKENS[:50])) < limit


def test_after_a_reset_the_same_tokens_give_the_same_logits() -> None:
    """A reset to a position in the middle forgets only later tokens."""
    model = case("grouped heads")
    network = Transformer(model.architecture, model.quantized().get)
    first = network.forward(TOKENS[:30], every=True)
    network.reset()
    np.testing.assert_array_equal(network.forward(TOKENS[:30], every=True), first)
    network.reset(10)
    assert relative(network.forward(TOKENS[10:30], every=True), first[10:]) < 1e-5


def test_what_does_not_fit_is_refused() -> None:
    """Too many tokens, no tokens, and numbers that are no tokens are refused."""
    model = case("grouped heads")
    network = Transformer(model.architecture, model.quantized().get, context=20)
    with pytest.raises(UsageError, match="bad number of tokens to run: found 21, expected 1 to 20"):
        network.forward(TOKENS[:21])
    with pytest.raises(UsageError, match="bad number of tokens to run: found 0"):
        network.forward([])
    for wrong in (-1, 70):
        with pytest.raises(UsageError, match=f"no such token: found {wrong}, expected 0 to 69"):
            network.forward([3, wrong])


def test_a_model_that_cannot_be_run_says_why() -> None:
    """The model is refused instead of giving wrong numbers."""
    for name, value, text in (
        ("hidden_act", "gelu", "hidden_act: found gelu, expected silu"),
        ("rope_pairing", "halves", "rope_pairing: found halves, expected adjacent"),
        ("rope_scaling.type", "ntk", "rope_scaling.type: found ntk, expected default, linear, dynamic, llama3"),
        ("expert_count", 8, "it asks for what is not known here: expert_count = 8"),
    ):
        with pytest.raises(UsageError, match=text):
            Architecture.of("llama", {**BASE, name: value})
    with pytest.raises(UsageError, match="found architecture falcon, expected llama"):
        Architecture.of("falcon", BASE)
    model = case("grouped heads")
    tensors = model.quantized()
    del tensors["layers.1.attention.wo"]
    with pytest.raises(InputError, match=r"'layers.1.attention.wo': this model cannot be run: a tensor is missing"):
        Transformer(model.architecture, tensors.get)
