"""A network whose products keep activations as floats: the weights' own function, in any format."""

import numpy as np
import pytest

from fourcc.models.transformer import Transformer
from tests.running.test_transformer import Case, case, relative, slow_logits

TOKENS = [int(token) for token in np.random.default_rng(4).integers(0, 70, 90)]
ROUNDING = ["Q8_0", "Q4_1", "Q8_A", "Q8_B", "Q4_0"]


def small(tag: str) -> tuple[Case, Transformer]:
    """A model in a format, and its decoded weights in float64."""
    model = case("untied", dim=64, hidden_dim=96, n_heads=8, head_dim=8)
    quantized = model.quantized(tag)
    decoded = {name: q.decode().astype(np.float64) for name, q in quantized.items()}
    return Case(model.architecture, decoded), Transformer(model.architecture, quantized.get, threads=2)


@pytest.mark.parametrize("tag", [*ROUNDING, "F16", "BF16"])
def test_its_logits_are_those_of_the_decoded_weights(tag: str) -> None:
    """They agree in a batch and token by token; the plain network gives the same logits before and after."""
    truth, network = small(tag)
    first = network.forward(TOKENS, every=True)
    exact, wanted = network.exactly(), slow_logits(truth, TOKENS)
    assert relative(exact.forward(TOKENS, every=True), wanted) < 1e-4
    exact.reset()
    one_by_one = np.concatenate([exact.forward([token]).copy() for token in TOKENS])
    assert relative(one_by_one, wanted) < 1e-4
    network.reset()
    np.testing.assert_array_equal(network.forward(TOKENS, every=True), first)


def test_both_can_be_run_by_turns() -> None:
    """Each network remembers its own tokens."""
    _, network = small("Q8_0")
    whole = network.forward(TOKENS, every=True)
    exact = network.exactly()
    wanted = exact.forward(TOKENS, every=True)
    network.reset()
    exact.reset()
    for first in range(0, len(TOKENS), 30):
        some = slice(first, first + 30)
        assert relative(network.forward(TOKENS[some], every=True), whole[some].astype(np.float64)) < 1e-5
        assert relative(exact.forward(TOKENS[some], every=True), wanted[some].astype(np.float64)) < 1e-5


@pytest.mark.parametrize("tag", [*ROUNDING, "F32", "F16", "BF16"])
def test_a_network_tells_whether_it_is_exact(tag: str) -> None:
    """If it is, its exact form gives the same logits, bit for bit, else others."""
    _, network = small(tag)
    exact = network.exactly()
    assert exact.exact
    same = (network.forward(TOKENS, every=True) == exact.forward(TOKENS, every=True)).all()
    assert network.exact == same
    assert network.exact == (tag not in ROUNDING) or tag == "BF16"
