"""Mixtures of experts against slow truths: routing by sorting, products expert by expert, sums in float64."""

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc import encode
from fourcc.arrays import Array, Floats
from fourcc.compute.buffers import Buffer, Sizes
from fourcc.compute.mixtures import Mixture
from fourcc.compute.programs import Program
from fourcc.errors import SlowProductsWarning, UsageError
from fourcc.part import per_block
from fourcc.qmatrix import QMatrix
from tests.compute.beside_blocks import PLAIN, TURNED
from tests.core.fakes import installed
from tests.examples import examples

EPSILON = 2.0**-23
TAGS = ("F32", "Q4_0", "Q8_0", "Q4_K", "MXF4", "Plnx")
COUNTS = (1, 2, 7, 64, 300)


@attrs.frozen
class Routed:
    """The contents of a mixture's tables.

    Attributes:
        chosen: (activations, used) experts.
        shares: float32 (activations, used).
        shown: expert -> numbers of its activations, in the order in which they lie.
    """

    chosen: Array
    shares: Floats
    shown: dict[int, list[int]]


class Bench:
    """A mixture over some activations, to be run once."""

    def __init__(self, scores: Array, used: int, *, normalized: bool, threads: int = 1, exact: bool = False) -> None:
        self.count, experts = scores.shape
        self.program = Program(self.count, Sizes(1, 1, 2, 1, 1e-5), np.zeros(1, np.int64), threads, exact=exact)
        self.mixture = Mixture(self.program, experts, used, normalized=normalized)
        self._kept = filled(scores)
        self.mixture.route(self._kept)

    def routed(self) -> Routed:
        """Runs the program, and shows numbers as activations to see where they go."""
        numbers, shown = filled(np.arange(self.count, dtype=np.float32)[:, None]), {}
        self.mixture.show(lambda expert, x: shown.update({expert: x[:, 0].astype(int).tolist()}), numbers, 1)
        self.program.run()
        used = self.mixture.chosen.shape[1]
        return Routed(self.mixture.chosen.copy(), self.mixture.shares[:, :used].copy(), shown)


def filled(x: Array) -> Buffer:
    """A buffer of activations."""
    buffer = Buffer(*x.shape)
    buffer.floats[:, : buffer.width] = x
    return buffer


def softmax(scores: Array) -> Array:
    """The softmax of the last axis, float64."""
    powers: Array = np.exp(scores.astype(float) - scores.max(axis=-1, keepdims=True))
    shares: Array = powers / powers.sum(axis=-1, keepdims=True)
    return shares


def truth(scores: Array, used: int, *, normalized: bool) -> Routed:
    """The highest scores, the first of equals, by sorting all."""
    chosen = np.argsort(-scores, axis=1, kind="stable")[:, :used]
    shares = np.take_along_axis(softmax(scores), chosen, axis=1)
    if normalized:
        shares = softmax(np.take_along_axis(scores, chosen, axis=1))
    pairs = [(expert, row) for row, some in enumerate(chosen.tolist()) for expert in some]
    shown: dict[int, list[int]] = {}
    for expert, row in sorted(pairs):
        shown.setdefault(expert, []).append(row)
    return Routed(chosen, shares, shown)


def drawn_scores(random: np.random.Generator, kind: str, shape: tuple[int, int]) -> Floats:
    """Scores of routers: ordinary ones, with many ties, far apart, and such that one expert gets all or none."""
    scores: Array = random.standard_normal(shape)
    if kind == "ties":
        scores = random.integers(0, 3, shape)
    elif kind == "far":
        scores *= 60
    elif kind == "all":
        scores[:, random.integers(shape[1])] = 50
    elif kind == "none":
        scores[:, random.integers(shape[1])] = -50
    return scores.astype(np.float32)


KINDS = st.sampled_from(["normal", "ties", "far", "all", "none"])
SEEDS = st.integers(0, 2**32 - 1)


@examples(120)
@given(
    seed=SEEDS,
    kind=KINDS,
    count=st.one_of(st.sampled_from(COUNTS), st.integers(1, 40)),
    experts=st.integers(1, 64),
    used=st.integers(1, 8),
    normalized=st.booleans(),
    threads=st.sampled_from([1, 2]),
)
def test_routing(seed: int, kind: str, count: int, experts: int, used: int, normalized: bool, threads: int) -> None:
    used = min(used, experts)
    scores = drawn_scores(np.random.default_rng(seed), kind, (count, experts))
    found = Bench(scores, used, normalized=normalized, threads=threads).routed()
    wanted = truth(scores, used, normalized=normalized)
    assert found.chosen.tolist() == wanted.chosen.tolist()
    assert found.shown == wanted.shown
    # a difference of scores is rounded, by up to half a unit of 87, below which a share is as good as 0
    np.testing.assert_allclose(found.shares, wanted.shares, rtol=64 * EPSILON, atol=1e-37)


@pytest.mark.parametrize("used", [1, 3, 8])
def test_scores_that_are_no_numbers_choose_experts_that_there_are(used: int) -> None:
    """Each is chosen once at most, in whatever order; an activation's broken shares are seen, others not touched."""
    scores = np.zeros((4, 8), np.float32)
    scores[0], scores[1, 3], scores[2, ::2] = np.nan, np.nan, np.inf
    found = Bench(scores, used, normalized=False).routed()
    for row in found.chosen.tolist():
        assert sorted(set(row)) == sorted(row)
        assert set(row) <= set(range(8))
    assert np.isnan(found.shares[0]).all()
    np.testing.assert_array_equal(found.shares[3], np.float32(1 / 8))


# -- products


def stack_of(tag: str, shape: tuple[int, int, int], seed: int) -> QMatrix:
    """A stack of random matrices, each of another size of weights."""
    random = np.random.default_rng(seed)
    sizes = 2.0 ** random.integers(-3, 3, shape[0])
    return encode((random.standard_normal(shape) * sizes[:, None, None]).astype(np.float32), tag)


def products_of_experts(q: QMatrix, x: Floats, shown: dict[int, list[int]], *, exact: bool) -> Floats:
    """Each expert's own activations times its own matrix, by the product that a single matrix has: place by place."""
    return np.concatenate([q[expert].matmul(x[rows], 1, exact=exact) for expert, rows in sorted(shown.items())])


def columns_of(tag: str, cols: int) -> int:
    """Columns that the format can have, about as many."""
    return -(-cols // 256) * 256 if tag == "Q4_K" else -(-cols // 32) * 32


@attrs.frozen
class Trial:
    """A mixture to be tried.

    Attributes:
        tag: of the stacks' format.
        shape: of the first stack, (experts, rows, columns); the second has rows for columns.
        count: activations.
        used: experts of each, as far as there are as many.
        seed, kind: of the numbers, of the scores.
        threads: how many.
        exact: whether products keep activations as floats.
    """

    tag: str
    shape: tuple[int, int, int]
    count: int
    used: int
    seed: int = 0
    kind: str = "normal"
    threads: int = 1
    exact: bool = False

    @property
    def up(self) -> QMatrix:
        """The first stack."""
        experts, rows, cols = self.shape
        return stack_of(self.tag, (experts, rows, columns_of(self.tag, cols)), self.seed)

    @property
    def down(self) -> QMatrix:
        """The second stack."""
        experts, rows, cols = self.shape
        return stack_of(self.tag, (experts, columns_of(self.tag, cols), columns_of(self.tag, rows)), self.seed + 1)


def check_products(trial: Trial) -> None:
    """Up, by activation, and down again, by place, are bit for bit what the experts' own products are; then the sum."""
    up, down = trial.up, trial.down
    experts, rows, cols = up.shape
    used, wide, exact = min(trial.used, experts), down.shape[2], trial.exact
    random, places = np.random.default_rng(trial.seed), trial.count * used
    scores = drawn_scores(random, trial.kind, (trial.count, experts))
    x = random.standard_normal((trial.count, cols)).astype(np.float32)
    bench = Bench(scores, used, normalized=True, threads=trial.threads, exact=exact)
    given, spread, middle = filled(x), Buffer(places, cols), Buffer(places, wide)
    out, total = Buffer(places, cols), Buffer(trial.count, cols)
    bench.mixture.product(given, [(up.packed_stack, middle), (up.packed_stack, middle)], spread)
    bench.mixture.product(middle, [(down.packed_stack, out)])
    bench.mixture.combine(out, total)
    found = bench.routed()
    wanted = np.zeros((places, wide), np.float32)
    wanted[:, :rows] = products_of_experts(up, x, found.shown, exact=exact)
    assert middle.floats[:, :wide].tobytes() == wanted.tobytes()
    wanted = products_of_experts(down, wanted, places_of(found.shown), exact=exact)
    assert out.floats[:, :cols].tobytes() == wanted.tobytes()
    check_sum(total.floats[:, :cols], wanted, found)


def places_of(shown: dict[int, list[int]]) -> dict[int, list[int]]:
    """The places of each expert's activations."""
    ends = np.cumsum([len(rows) for _, rows in sorted(shown.items())])
    return {expert: list(range(end - len(shown[expert]), end)) for expert, end in zip(sorted(shown), ends, strict=True)}


def check_sum(total: Floats, given: Floats, routed: Routed) -> None:
    """The sum of the experts' results by their shares, in float64."""
    wanted, size = np.zeros(total.shape), np.zeros(total.shape)
    pairs = [(expert, row) for expert, rows in sorted(routed.shown.items()) for row in rows]
    for (expert, row), result in zip(pairs, given.astype(float), strict=True):
        share = routed.shares[row, routed.chosen[row].tolist().index(expert)]
        wanted[row] += share * result
        size[row] += share * np.abs(result)
    assert (np.abs(total - wanted) <= 8 * EPSILON * size + 1e-30).all()


TRIALS = st.builds(
    Trial,
    tag=st.sampled_from(TAGS),
    shape=st.tuples(*map(st.sampled_from, ([1, 2, 3, 8, 24], [1, 5, 32, 40, 96], [32, 64, 288]))),
    count=st.sampled_from(COUNTS),
    used=st.integers(1, 8),
    seed=SEEDS,
    kind=KINDS,
    threads=st.sampled_from([1, 2]),
    exact=st.booleans(),
)


@examples(40)
@given(trial=TRIALS)
def test_products(trial: Trial) -> None:
    """The kernels of built-in formats of each kind, and of one whose kernel is made from its block decoder."""
    with installed(PLAIN):
        check_products(trial)


@pytest.mark.parametrize("count", [1, 3])
def test_products_of_kernels_that_run_as_python(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    check_products(Trial("Q4_0", (4, 5, 32), count, used=2))


def test_one_expert_with_large_scales_makes_the_products_of_all_careful() -> None:
    """Numbers near 2^70 overflow in a careless order; the products of the other experts stay what they are."""
    wide = attrs.evolve(PLAIN, tag="Widx", name="w", parts=(per_block("scale", "<f4"), PLAIN.parts[1]))
    with installed(wide):
        weights = np.random.default_rng(0).standard_normal((3, 5, 32)).astype(np.float32)
        weights[1] *= np.float32(2.0**70)
        q = encode(weights, "Widx")
        bench, x, out = (
            Bench(np.eye(3, dtype=np.float32), 1, normalized=True),
            np.ones((3, 32), np.float32),
            Buffer(3, 5),
        )
        assert q.packed_stack.kernel.tile is q[1].packed.kernel.tile is not q[0].packed.kernel.tile
        bench.mixture.product(filled(x), [(q.packed_stack, out)], Buffer(3, 32))
        bench.program.run()
        np.testing.assert_allclose(out.floats[:, :5], q.decode().astype(float).sum(2), rtol=1e-4)


def test_a_stack_that_turns_activations_is_decoded_and_says_so() -> None:
    with installed(TURNED):
        q = stack_of("Trnx", (3, 5, 32), 0)
        with pytest.warns(
            SlowProductsWarning, match="^stacked matrices of the format Trnx are decoded before products:"
        ):
            stack = q.packed_stack
        assert stack.kernel.level == "decode"
        bench = Bench(np.eye(3, dtype=np.float32), 1, normalized=True)
        x = np.random.default_rng(0).standard_normal((3, 32)).astype(np.float32)
        out = Buffer(3, 5)
        bench.mixture.product(filled(x), [(stack, out)], Buffer(3, 32))
        bench.program.run()
        wanted = np.einsum("erc,ec->er", q.decode().astype(float), x)
        np.testing.assert_allclose(out.floats[:, :5], wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shape", [(4, 32), (0, 4, 32), (2, 2, 4, 32)])
def test_only_a_stack_of_matrices_is_packed_as_one(shape: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="the tensor is no stack of matrices"):
        _ = encode(np.zeros(shape, np.float32), "F32").packed_stack


# -- biases, experts that all activations share


def test_biases_are_those_of_the_places_experts() -> None:
    random = np.random.default_rng(0)
    scores = drawn_scores(random, "normal", (7, 5))
    bench, weights, out = Bench(scores, 2, normalized=False), filled(random.standard_normal((5, 33))), Buffer(14, 33)
    given = out.floats[:, :33] = random.standard_normal((14, 33)).astype(np.float32)
    bench.mixture.bias(weights.floats, out)
    found = bench.routed()
    owners = [expert for expert, rows in sorted(found.shown.items()) for _ in rows]
    np.testing.assert_array_equal(out.floats[:, :33], given + weights.floats[owners, :33])
    assert not out.floats[:, 33:].any()


def test_a_shared_expert_is_added_by_the_sigmoid_of_its_score() -> None:
    random = np.random.default_rng(0)
    bench = Bench(drawn_scores(random, "normal", (7, 5)), 2, normalized=False)
    given, score, out = (random.standard_normal((7, cols)).astype(np.float32) for cols in (33, 1, 33))
    score *= 30
    buffers = [filled(each) for each in (given, score, out)]
    bench.mixture.add_shared(*buffers)
    bench.program.run()
    wanted = out + given / (1 + np.exp(-score.astype(float)))
    np.testing.assert_allclose(buffers[2].floats[:, :33], wanted, rtol=1e-5, atol=1e-6)
