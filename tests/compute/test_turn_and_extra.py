"""Products of formats with a turn, with sparse weights, or with both, against the decoded weights in float64."""

from collections.abc import Iterator

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc import compute
from fourcc.arrays import Array, Floats, Parts
from fourcc.encoding import encode
from fourcc.errors import PluginError, SlowProductsWarning
from fourcc.format import Format, Sparse, Turn
from fourcc.geometry import Geometry
from fourcc.models.transformer import Transformer
from fourcc.qmatrix import QMatrix
from tests.compute.beside_blocks import BOTH, CALLS, PLAIN, SPARSE, TURN, TURNED, all_installed, shifted, sparse_weights
from tests.core.fakes import installed
from tests.examples import examples
from tests.kernels.bounds import float_bound
from tests.kernels.other_targets import on_any_processor, passes
from tests.running.test_transformer import TOKENS, case, relative, slow_logits

KINDS = [TURNED, SPARSE, BOTH]
COUNTS = (1, 2, 3, 4, 5, 8, 17, 64)
every = pytest.mark.parametrize("fmt", KINDS, ids=[str(each.tag) for each in KINDS])


@pytest.fixture(autouse=True)
def formats() -> Iterator[None]:
    """The formats are installed."""
    with all_installed():
        yield


def normal(*shape: int, seed: int = 0) -> Floats:
    """Normal numbers, float32."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def excess(q: QMatrix, x: Floats, product: Array) -> float:
    """The largest error of a product, in bounds; a weight is the sum of one from a block, and some of at most 1."""
    w = q.decode().astype(np.float64)
    bound = float_bound(np.abs(w) + 1, x.astype(np.float64))
    return float((np.abs(product - x.astype(np.float64) @ w.T) / bound).max())


@every
@pytest.mark.parametrize("n", COUNTS)
def test_any_number_of_activations(fmt: Format, n: int) -> None:
    """On one thread or several; with activations that stay floats."""
    q, x = encode(normal(37, 77), fmt.tag), normal(n, 77, seed=n)
    assert q.packed.kernel.level == "fused"
    for threads in (1, 2):
        assert excess(q, x, q.matmul(x, threads)) <= 1
    np.testing.assert_array_equal(q.matmul(x, exact=True), q.matmul(x))
    assert excess(q, x[:1], (q @ x[0])[None]) <= 1


@every
@examples(40)
@given(rows=st.integers(1, 40), cols=st.integers(1, 150), n=st.integers(1, 20), seed=st.integers(0, 1000))
def test_any_shape(fmt: Format, rows: int, cols: int, n: int, seed: int) -> None:
    """Rows that are looked up have all that the decoded ones have."""
    q, x = encode(normal(rows, cols, seed=seed), fmt.tag), normal(n, cols, seed=seed)
    assert excess(q, x, q.matmul(x, 1 + seed % 2)) <= 1
    listed = np.random.default_rng(seed).integers(0, rows, 5)
    np.testing.assert_array_equal(compute.gather(q.packed, listed), q.decode()[listed])


@every
def test_more_activations_than_a_batch(fmt: Format) -> None:
    q, x = encode(normal(20, 64), fmt.tag), normal(513, 64)
    assert excess(q, x, q.matmul(x)) <= 1


@every
def test_empty_matrices(fmt: Format) -> None:
    """No function of the format is called."""
    CALLS.clear()
    for rows, cols in ((0, 64), (3, 0)):
        q = encode(normal(rows, cols), fmt.tag)
        assert q.matmul(normal(2, cols)).tolist() == [[0.0] * rows] * 2
    assert not CALLS


def test_experts_are_turned_each_by_its_own_parts() -> None:
    q, x = encode(normal(3, 20, 48), TURNED.tag), normal(2, 48)
    q.parts["by"][1] *= 2
    for expert in q:
        assert excess(expert, x, expert.matmul(x)) <= 1


def test_very_large_values_take_the_careful_product() -> None:
    """A product of few activations would add infinities that cancel out, or not."""

    def huge(parts: Parts, geom: Geometry) -> Sparse:
        sparse = sparse_weights(parts, geom)
        return attrs.evolve(sparse, values=np.full(len(sparse.values), 1e20, np.float32))

    with installed(attrs.evolve(SPARSE, tag="Hugx", extra=huge)):
        q, x = encode(normal(17, 40), "Hugx"), normal(1, 40)
        assert q.packed.kernel.tile is not compute.kernel_of(q.format).tile
        assert excess(q, x, q.matmul(x)) <= 1


def test_the_memory_of_sparse_weights_counts() -> None:
    for fmt in (SPARSE, BOTH):
        q = encode(normal(40, 60), fmt.tag)
        count = len(q.parts["at"])
        nbytes = sum(array.nbytes for array in q.packed.arrays) - sum(
            q.parts[name].nbytes for name in ("scale", "codes")
        )
        assert 8 * count + 8 * 41 <= nbytes <= 8 * count + 8 * 41 + 4 * 128 + 64


# -- programs


@pytest.mark.parametrize("fmt", [PLAIN, *KINDS], ids=["plain", *(str(each.tag) for each in KINDS)])
@pytest.mark.parametrize("threads", [1, 2])
def test_a_model_gives_the_logits_of_its_decoded_weights(fmt: Format, threads: int) -> None:
    """At once, token by token, and exactly; its embedding is looked up in the format, too."""
    model = case("grouped heads")
    quantized = model.quantized(str(fmt.tag))
    decoded = {name: q.decode().astype(np.float64).reshape(q.shape) for name, q in quantized.items()}
    wanted = slow_logits(attrs.evolve(model, weights=decoded), TOKENS[:20])
    network = Transformer(model.architecture, quantized.get, threads=threads)
    assert relative(network.forward(TOKENS[:20], every=True), wanted) < 1e-5
    assert relative(network.exactly().forward(TOKENS[:20], every=True), wanted) < 1e-5
    network.reset()
    for token, logits in zip(TOKENS[:20], wanted, strict=True):
        assert relative(network.forward([token]), logits[None]) < 1e-5


def test_matrices_that_turn_alike_share_the_work() -> None:
    """A layer's queries, keys and values have equal factors; a matrix with others turns by itself."""
    model = case("grouped heads")
    quantized = model.quantized(str(TURNED.tag))
    network = Transformer(model.architecture, quantized.get)
    CALLS.clear()
    network.forward([1])
    assert len(CALLS) == 4 * model.architecture.n_layers + 1  # q, k, v; o; gate, up; down; and the logits
    name = "layers.0.attention.wk"
    factors = quantized[name].parts["by"] + 1
    other = attrs.evolve(quantized[name], parts={**quantized[name].parts, "by": factors})
    CALLS.clear()
    Transformer(model.architecture, (quantized | {name: other}).get).forward([1])
    assert len(CALLS) == 4 * model.architecture.n_layers + 2


@pytest.mark.parametrize("jit", [True, False], ids=["compiled", "uncompiled"])
def test_what_a_turn_raises_in_a_program_is_raised_once(jit: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program runs to its end first; afterwards the network goes on."""
    fails: list[bool] = []

    def forward(x: Floats, parts: Parts, geom: Geometry) -> Floats:
        if fails:
            raise KeyError("by")
        return shifted(x, parts, geom)

    monkeypatch.setenv("NUMBA_DISABLE_JIT", "0" if jit else "1")
    with installed(attrs.evolve(TURNED, tag="Tfax", turn=attrs.evolve(TURN, forward=forward))):
        model = case("grouped heads", n_layers=1, vocab_size=20, hidden_dim=16)
        network = Transformer(model.architecture, model.quantized("Tfax").get)
        before = network.forward([1]).copy()
        network.reset()
        fails.append(True)
        with pytest.raises(
            PluginError, match=r"^turn\.forward of the format Tfax does not keep .* found KeyError: 'by'$"
        ):
            network.forward([1])
        fails.clear()
        network.reset()
        np.testing.assert_array_equal(network.forward([1]), before)


def test_an_interrupt_in_a_turn_is_no_error_of_the_format() -> None:
    """Ctrl-C comes through."""

    def forward(x: Floats, parts: Parts, geom: Geometry) -> Floats:
        raise KeyboardInterrupt

    with installed(attrs.evolve(TURNED, tag="Tkbx", turn=attrs.evolve(TURN, forward=forward))):
        model = case("grouped heads", n_layers=1)
        network = Transformer(model.architecture, model.quantized("Tkbx").get)
        with pytest.raises(KeyboardInterrupt):
            network.forward([1])


# -- what does not keep its contract


@pytest.mark.parametrize(
    ("forward", "says"),
    [
        (lambda x, parts, geom: x[:, 1:], r"found \(1, 63\) float32, expected \(1, 64\) float32"),
        (lambda x, parts, geom: x.astype(np.int64), r"found \(1, 64\) int64, expected \(1, 64\) float32"),
        (lambda x, parts, geom: None, r"found a NoneType, expected \(1, 64\) float32"),
        (lambda x, parts, geom: x.__imul__(2), "found ValueError: output array is read-only"),
        (lambda x, parts, geom: parts["codes"], "found KeyError: 'codes'"),
    ],
    ids=["narrow", "integers", "nothing", "in place", "no part of it"],
)
def test_a_turn_that_breaks_is_said_in_words(forward: object, says: str) -> None:
    broken = attrs.evolve(TURNED, tag="Tbrx", turn=Turn(forward, TURN.back, TURN.parts))  # type: ignore[arg-type]
    with installed(broken):
        q = encode(normal(4, 64), "Tbrx")
        with pytest.raises(PluginError, match=rf"^turn\.forward of the format Tbrx does not keep its contract: {says}"):
            q.matmul(normal(1, 64))


@pytest.mark.parametrize(
    ("sparse", "says"),
    [
        (Sparse([4], [0], np.ones(1)), "found rows 4 to 4, expected 0 to 3"),
        (Sparse([0], [-1], np.ones(1)), "found columns -1 to -1, expected 0 to 63"),
        (Sparse([0, 1], [0, 1], np.ones(1)), r"found shapes \(\(2,\), \(2,\), \(1,\)\), expected three of \(k,\)"),
        (Sparse([0], [0.5], np.ones(1)), "found int64, float64, float64, expected integers, integers, floats"),
        (None, "found AttributeError: 'NoneType' object has no attribute 'rows'"),
    ],
    ids=["row", "column", "lengths", "kinds", "nothing"],
)
def test_places_that_do_not_exist_are_refused(sparse: Sparse | None, says: str) -> None:
    """A kernel would read and write beyond its memory."""
    broken = attrs.evolve(SPARSE, tag="Sbrx", extra=lambda parts, geom: sparse)
    with installed(broken):
        q = attrs.evolve(encode(normal(4, 64), SPARSE.tag), tag="Sbrx")
        with pytest.raises(PluginError, match=rf"^extra of the format Sbrx does not keep its contract: {says}"):
            _ = q.packed


def test_no_sparse_weights_are_possible() -> None:
    """A matrix without outliers."""
    none = attrs.evolve(SPARSE, tag="Snox", extra=lambda parts, geom: Sparse(np.arange(0), np.arange(0), np.ones(0)))
    with installed(none):
        q, x = attrs.evolve(encode(normal(4, 64), SPARSE.tag), tag="Snox"), normal(1, 64)
        assert excess(q, x, q.matmul(x)) <= 1


def test_a_turn_whose_decoder_cannot_be_traced_decodes_first() -> None:
    """The weights are turned back then, and activations stay as they are."""

    def untraceable(scale: Floats, codes: Array, weights: Floats) -> None:
        for index in range(16):
            weights[index] = scale * np.sin(codes[index].astype(np.float32))

    for fmt in (TURNED, BOTH):
        with installed(attrs.evolve(fmt, tag="Tunx", decode_block=untraceable)):
            q, x = encode(normal(9, 40), "Tunx"), normal(3, 40)
            with pytest.warns(
                SlowProductsWarning, match=r"^products with the format Tunx .* test_turn_and_extra\.py:\d+: "
            ):
                assert q.packed.kernel.level == "decode"
            assert excess(q, x, q.matmul(x)) <= 1


@pytest.mark.thorough
@on_any_processor
def test_on_any_processor(name: str) -> None:
    """The instructions of other machines."""
    passes(__file__, name, "activations or shape or logits")
