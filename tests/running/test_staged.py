"""A network that is run stage by stage, against the exact network and against a float64 forward pass."""

import numpy as np
import pytest
from numpy.typing import NDArray

from fourcc.encoding import encode
from fourcc.errors import UsageError
from fourcc.models.architecture import Architecture
from fourcc.models.staged import StagedNetwork
from fourcc.models.stages import BATCH, Observer
from fourcc.models.transformer import Transformer
from fourcc.networks import NETWORKS
from tests.running import made_networks
from tests.running.test_transformer import TOKENS, Array, Case, case, every_kind, heads, relative, rms, turned
from tests.running.test_transformer import attention as slow_attention

LAYER = "layers.1."


def staged(model: Case, tag: str = "F32", threads: int = 2) -> StagedNetwork:
    """A model's stages."""
    return StagedNetwork(Transformer(model.architecture, model.quantized(tag).get, threads=threads))


class Seen:
    """An observer that keeps copies."""

    def __init__(self) -> None:
        self.parts: dict[str, list[NDArray[np.float32]]] = {}

    def __call__(self, names: tuple[str, ...], x: NDArray[np.float32]) -> None:
        """Keeps the inputs of each matrix."""
        for name in names:
            self.parts.setdefault(name, []).append(x.copy())

    def joined(self) -> dict[str, NDArray[np.float32]]:
        """The inputs of each matrix in all batches."""
        return {name: np.concatenate(parts) for name, parts in self.parts.items()}


def through(network: StagedNetwork, tokens: list[int], observe: Observer | None = None) -> NDArray[np.float32]:
    """Logits by way of all stages."""
    hidden = network.embed(tokens)
    for number in range(network.layers):
        hidden = network.layer(number, hidden, observe=observe)
    return network.logits(hidden, observe=observe)


@every_kind
def test_the_stages_together_are_the_exact_network(kind: str) -> None:
    """Bit for bit, in a window longer than a batch and in the shorter one after it."""
    model = case(kind)
    network, exact = staged(model, "Q8_A"), Transformer(model.architecture, model.quantized("Q8_A").get).exactly()
    assert len(TOKENS) > BATCH
    for tokens in (TOKENS, TOKENS[:37]):
        exact.reset()
        np.testing.assert_array_equal(through(network, tokens), exact.forward(tokens, every=True))


@pytest.mark.parametrize("name", NETWORKS)
def test_the_stages_of_every_network(name: str) -> None:
    """Bit for bit in a window longer than a batch; an observer sees what `inputs_of` says."""
    hyper = {**made_networks.honest(NETWORKS[name]), "seq_len": BATCH + 3}
    tensors = made_networks.tensors(NETWORKS[name], hyper, optional=True)
    find = {tensor: encode(array, "F32") for tensor, array in tensors.items()}.get
    exact = Transformer(Architecture.of(name, hyper), find, threads=1).exactly()
    network, tokens = StagedNetwork(exact), [1 + number % 5 for number in range(BATCH + 3)]
    seen: list[tuple[tuple[str, ...], int]] = []

    def see(names: tuple[str, ...], x: NDArray[np.float32], *expert: int) -> None:
        if not expert or seen[-1][0] != names:  # stacks are shown once for each expert
            seen.append((names, x.shape[1]))

    logits = through(network, tokens, see)
    np.testing.assert_array_equal(logits, exact.forward(tokens, every=True))
    wanted = [network.inputs_of(number) for number in range(network.layers + 1)]
    assert seen == [(each.names, each.cols) for inputs in wanted for each in 2 * inputs]


@pytest.mark.parametrize("tag", ["F32", "Q4_0", "Q4_K", "Q8_A"])
def test_the_number_of_threads_does_not_show(tag: str) -> None:
    """Neither in the logits nor in what an observer sees."""
    model = case("grouped heads", dim=256, hidden_dim=512, n_heads=8, n_kv_heads=4, head_dim=32, vocab_size=600)
    found = []
    for threads in (1, 2, 3, 7):
        seen = Seen()
        logits = through(staged(model, tag, threads), TOKENS[:70], seen)
        found.append((logits.tobytes(), seen.joined()))
    for logits, inputs_of in found[1:]:
        assert logits == found[0][0]
        for name, wanted in found[0][1].items():
            np.testing.assert_array_equal(inputs_of[name], wanted)


def inputs(model: Case, tokens: list[int]) -> dict[str, Array]:
    """Inputs of every matrix, by the description of the network in float64."""
    a, w = model.architecture, model.weights
    seen: dict[str, Array] = {}
    x = w["tok_embeddings"][tokens]
    for layer in range(a.n_layers):
        at = f"layers.{layer}."
        normed = rms(x, w[f"{at}attention_norm"], a.norm_eps)
        q, k, v = (heads(normed @ w[f"{at}attention.{name}"].T, a.head_dim) for name in ("wq", "wk", "wv"))
        mixed = slow_attention(turned(q, model), turned(k, model), v, None)
        x = x + mixed @ w[f"{at}attention.wo"].T
        into = rms(x, w[f"{at}ffn_norm"], a.norm_eps)
        gate = into @ w[f"{at}feed_forward.w1"].T
        inner = gate / (1 + np.exp(-gate)) * (into @ w[f"{at}feed_forward.w3"].T)
        x = x + inner @ w[f"{at}feed_forward.w2"].T
        seen |= {f"{at}attention.{name}": normed for name in ("wq", "wk", "wv")}
        seen |= {f"{at}attention.wo": mixed, f"{at}feed_forward.w2": inner}
        seen |= {f"{at}feed_forward.{name}": into for name in ("w1", "w3")}
    return seen | {"output" if "output" in w else "tok_embeddings": rms(x, w["norm"], a.norm_eps)}


@pytest.mark.parametrize("kind", ["grouped heads", "untied", "wide heads"])
def test_an_observer_sees_the_inputs_of_every_matrix(kind: str) -> None:
    """All that the network multiplies, batch after batch, in the widths of the matrices."""
    model, seen = case(kind), Seen()
    network = staged(model)
    through(network, TOKENS, seen)
    wanted, found = inputs(model, TOKENS), seen.joined()
    told = [each for number in range(network.layers + 1) for each in network.inputs_of(number)]
    assert {name: each.cols for each in told for name in each.names} == {n: x.shape[1] for n, x in found.items()}
    assert [name for each in told for name in each.names] == list(found)
    assert found.keys() == wanted.keys()
    for name, x in found.items():
        assert len(seen.parts[name]) == 2
        assert relative(x, wanted[name]) < 1e-4, name


def test_what_an_observer_raises_is_raised() -> None:
    """And the network goes on to work."""
    network = staged(case("grouped heads"))

    def refuse(names: tuple[str, ...], x: NDArray[np.float32]) -> None:
        raise UsageError("seen", found=names[0])

    wanted = through(network, TOKENS[:9])
    with pytest.raises(UsageError, match=r"seen"):
        network.layer(1, network.embed(TOKENS[:9]), observe=refuse)
    np.testing.assert_array_equal(through(network, TOKENS[:9]), wanted)


@pytest.mark.parametrize("name", [f"{LAYER}attention.wk", f"{LAYER}feed_forward.w2", "output", "tok_embeddings"])
def test_a_replaced_matrix_is_as_good_as_the_models_own(name: str) -> None:
    """For one call: then the network is as it was. Names of other stages are passed over."""
    model = case("untied")
    quantized = model.quantized()
    other = encode(-model.weights[name].astype(np.float32), "Q8_A", name=name)
    changed = Transformer(model.architecture, (quantized | {name: other}).get).exactly()
    network = staged(model)
    before, replaced = through(network, TOKENS), {name: other.packed, "no.such": other.packed}
    hidden = network.embed(TOKENS, replaced=replaced)
    for number in range(network.layers):
        hidden = network.layer(number, hidden, replaced=replaced)
    logits = network.logits(hidden, replaced=replaced)
    np.testing.assert_array_equal(logits, changed.forward(TOKENS, every=True))
    assert (logits != before).any()
    np.testing.assert_array_equal(through(network, TOKENS), before)


def test_numbers_that_are_none_do_not_last() -> None:
    """A window without a finite number leaves nothing to the next one, and states that go in stay as they are."""
    network = staged(case("grouped heads"))
    hidden = network.embed(TOKENS[:40])
    kept, wanted = hidden.copy(), network.layer(0, hidden[:9])
    assert np.isnan(network.layer(0, np.full_like(hidden, np.nan))).all()
    np.testing.assert_array_equal(network.layer(0, hidden[:9]), wanted)
    np.testing.assert_array_equal(hidden, kept)


def test_what_does_not_fit_is_refused() -> None:
    """Windows, tokens, and matrices of another shape."""
    model = case("grouped heads")
    network = staged(model)
    with pytest.raises(UsageError, match=r"bad number of tokens to run: found 0, expected 1 to 400, the context"):
        network.embed([])
    with pytest.raises(UsageError, match=r"bad number of tokens to run: found 401"):
        network.layer(0, np.zeros((401, 48), np.float32))
    with pytest.raises(UsageError, match=r"no such token: found 70, expected 0 to 69"):
        network.embed([70])
    other = encode(np.zeros((3, 48), np.float32), "F32").packed
    with pytest.raises(UsageError, match=r"cannot take this one's place.*found \(3, 48\), expected \(48, 48\)"):
        network.layer(0, network.embed([1]), replaced={"layers.0.attention.wq": other})
