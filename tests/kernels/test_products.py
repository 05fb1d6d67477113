"""Products of every format stay within `bounds`, whatever the shape, the numbers, the threads."""

import subprocess
import sys
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fourcc
from fourcc import encode
from fourcc.arrays import Array
from fourcc.compute.products import COLUMNS
from fourcc.errors import UsageError
from fourcc.geometry import Geometry
from fourcc.kernels.q4_a import LONG
from fourcc.plugins.registry import registry
from fourcc.qmatrix import QMatrix
from fourcc.settings import complete
from fourcc.tags import FourCC, as_tag
from tests.container.build import write_model
from tests.examples import examples
from tests.formats.checks import random_parts
from tests.kernels.bounds import INTEGERS, decoded, excess, integer_bound
from tests.kernels.one_of_each_kind import SOME, marked, of_each_kind
from tests.kernels.random_inputs import (
    COUNTS,
    ENCODED,
    EXPONENTS,
    HIGH,
    OTHERS,
    ROWS,
    SEEDS,
    STYLES,
    TAGS,
    columns,
    fitting,
    normal,
    numbers,
)
from tests.kernels.short_products import ROOT, environment
from tests.kernels.short_products import TAGS as COMPACT

every = pytest.mark.parametrize("tag", marked(TAGS), ids=str)
every_encoded = pytest.mark.parametrize("tag", marked(ENCODED), ids=str)
every_float = pytest.mark.parametrize("tag", [tag for tag in ENCODED if str(tag) not in INTEGERS], ids=str)
SAMPLE = set(of_each_kind(map(str, TAGS)))
CODED = [str(tag) for tag in ENCODED if str(tag) in INTEGERS]
every_integer = pytest.mark.parametrize("tag", CODED)
SHAPES = [(1, 32), (18, 160), (37, 96), (145, 544)]
LARGEST = 30_000  # magnitude that every format takes


def made(tag: FourCC | str, rows: int, cols: int, seed: int = 1) -> QMatrix:
    """Normal weights, with the least number of columns from `cols` on that the format takes."""
    return encode(numbers(normal, seed, (rows, fitting(tag, cols))), tag)


def named_parts(tag: FourCC) -> set[str]:
    """The names of a format's parts."""
    return {part.name for part in registry[tag].parts}


def stored(tag: FourCC | str, rows: int, cols: int) -> QMatrix:
    """A matrix of any format, encoded, or, without an encoder, of random bytes."""
    if registry[as_tag(tag)].encode is not None:
        return made(tag, rows, cols)
    return damaged(tag, rows, cols, seed=1)


def damaged(tag: FourCC | str, rows: int, cols: int, seed: int) -> QMatrix:
    """A matrix of random bytes, with the format's default parameters."""
    cols = fitting(tag, cols)
    params = complete(registry[as_tag(tag)].params, {})
    return QMatrix(as_tag(tag), (rows, cols), random_parts(str(tag), rows, cols, seed, params), params)


# -- the bound


@every_encoded
@examples(60)
@given(st.data())
def test_products_are_within_the_bound(tag: FourCC, data: st.DataObject) -> None:
    """This holds with one activation and with several, quantized and exact."""
    rows, cols, n = data.draw(ROWS), data.draw(columns(tag)), data.draw(COUNTS)
    style, other, seed = data.draw(st.sampled_from(STYLES)), data.draw(st.sampled_from(STYLES)), data.draw(SEEDS)
    w = np.clip(numbers(style, seed, (rows, cols), data.draw(EXPONENTS)), -LARGEST, LARGEST)
    x = numbers(other, seed + 1, (n, cols), data.draw(HIGH))
    q = encode(w, tag)
    assert excess(q, x, q.matmul(x, data.draw(st.integers(1, 3)))) <= 1
    assert excess(q, x[:1], (q @ x[0])[None]) <= 1
    if str(tag) in SAMPLE:
        assert excess(q, x, q.matmul(x, exact=True), exact=True) <= 1


@pytest.mark.thorough  # a format of each kind is asked above; the others' exact products would be compiled for it alone
@pytest.mark.parametrize("tag", [tag for tag in ENCODED if str(tag) not in SAMPLE], ids=str)
@examples(20)
@given(st.data())
def test_exact_products_are_within_the_bound(tag: FourCC, data: st.DataObject) -> None:
    """Products of every other format; the number of threads does not show in them."""
    rows, cols, n, seed = data.draw(ROWS), data.draw(columns(tag)), data.draw(COUNTS), data.draw(SEEDS)
    q = encode(numbers(data.draw(st.sampled_from(STYLES)), seed, (rows, cols)), tag)
    x = numbers(data.draw(st.sampled_from(STYLES)), seed + 1, (n, cols), data.draw(HIGH))
    product = q.matmul(x, 1, exact=True)
    assert excess(q, x, product, exact=True) <= 1
    assert q.matmul(x, 2, exact=True).tobytes() == product.tobytes()


@every_integer
@examples(40)
@given(rows=ROWS, n=COUNTS, seed=SEEDS, data=st.data())
def test_activations_that_quantize_exactly_lose_nothing(
    tag: str, rows: int, n: int, seed: int, data: st.DataObject
) -> None:
    """The bound is then that of rounding alone, so a single wrong code or zero point shows."""
    cols = data.draw(columns(as_tag(tag)))
    q, x = lossless_activations(tag, rows, cols, n, seed)
    assert excess(q, x, q.matmul(x), lossless=True) <= 1
    assert excess(q, x[:1], (q @ x[0])[None], lossless=True) <= 1


@every_float
@examples(40)
@given(rows=ROWS, n=COUNTS, seed=SEEDS, data=st.data())
def test_products_of_small_whole_numbers_are_exact(
    tag: FourCC, rows: int, n: int, seed: int, data: st.DataObject
) -> None:
    """A single column that is lost, or taken for another, shows."""
    q, x = whole_numbers(tag, rows, data.draw(columns(tag)), n, seed)
    check_lossless(q, x, q.matmul(x))
    check_lossless(q, x[:1], (q @ x[0])[None])
    check_lossless(q, x, q.matmul(x, exact=True))


def whole_numbers(tag: FourCC, rows: int, cols: int, n: int, seed: int) -> tuple[QMatrix, Array]:
    """A matrix of at most sixteen different whole numbers, which a table of sixteen holds, and activations.

    Formats whose scales are no whole numbers get scales of 1: then the codes are the weights. (Weights may be whole all
    the same, once each is rounded; a product applies the scale to their sum.)
    """
    random = np.random.default_rng(seed)
    q = encode(random.integers(-8, 8, (rows, cols)).astype(np.float32), tag)
    floats = [part for part in q.parts.values() if part.dtype.kind == "f"]
    if any((each % 1).any() for each in (decoded(q), *floats)):
        ones = {name: np.ones_like(part) if part.dtype.kind == "f" else part for name, part in q.parts.items()}
        q = attrs.evolve(q, parts=ones)
    return q, random.integers(-8, 9, (n, cols)).astype(np.float32)


def lossless_activations(
    tag: FourCC | str, rows: int, cols: int, n: int, seed: int, exponents: int = 20
) -> tuple[QMatrix, Array]:
    """A matrix, and activations that are, in each block of 32, multiples of a power of two, up to 127 times it.

    The exponents are -`exponents` .. `exponents`. The matrix has a row of ones in each 128, so that scales down
    columns are powers of two.
    """
    random = np.random.default_rng(seed)
    w = random.uniform(-1, 1, (rows, cols)).astype(np.float32)
    w[::128] = 1
    x = random.integers(-127, 128, (n, cols)).astype(np.float32)
    x[:, ::32] = random.choice([-127, 127], x[:, ::32].shape)
    powers = 2.0 ** random.integers(-exponents, exponents + 1, (n, -(-cols // 32)))
    x *= np.repeat(powers, 32, axis=1)[:, :cols].astype(np.float32)
    return encode(w, tag), x


@every_encoded
def test_very_many_activations(tag: FourCC) -> None:
    """They are more than are multiplied at once."""
    q = made(tag, 3, 64)
    x = numbers(normal, 2, (2 * COLUMNS + 1, q.shape[1]))
    product = q.matmul(x)
    assert excess(q, x, product) <= 1
    assert product[-1].tobytes() == q.matmul(x[-1:])[0].tobytes()


@every_encoded
def test_long_rows(tag: FourCC) -> None:
    """Rows that the L1 cache does not hold, and every number of activations from which another product is used."""
    ragged = registry[tag].misfit((1, LONG + 1)) is None
    for rows, cols in [(3, LONG), (4, LONG + 1), (21, LONG + 47)] if ragged else [(3, LONG), (21, LONG + 32)]:
        draw = lossless_activations if str(tag) in INTEGERS else whole_numbers
        q, x = draw(tag, rows, fitting(tag, cols), 40, 3)
        for n in (1, 2, 3, 4, 15, 16, 17, 40):
            product = q.matmul(x[:n], 1)
            check_lossless(q, x[:n], product)
            assert q.matmul(x[:n], 3).tobytes() == product.tobytes()


def check_lossless(q: QMatrix, x: Array, product: Array) -> None:
    """Checks a product of `lossless_activations` or `whole_numbers`."""
    if str(q.tag) in INTEGERS:
        assert excess(q, x, product, lossless=True) <= 1
    elif (np.rint(decoded(q)) == decoded(q)).all():
        np.testing.assert_array_equal(product, x.astype(np.float64) @ decoded(q).T)
    else:  # its levels are no whole numbers
        assert excess(q, x, product) <= 1


@pytest.mark.parametrize("tag", [tag for tag in OTHERS if set(named_parts(tag)) == {"values"}], ids=str)
def test_formats_that_are_only_carried(tag: FourCC) -> None:
    """Integers and small floats have no encoder; NaN among their weights shows, and stays in its row."""
    parts = random_parts(str(tag), 37, 96, seed=3)
    x = numbers(normal, 4, (5, 96), -20)  # so small that a weight of 2^127, which F8E8 has, overflows no sum
    product = QMatrix(tag, (37, 96), parts).matmul(x)
    finite = np.isfinite(decoded(QMatrix(tag, (37, 96), parts))).all(axis=1)
    assert not np.isfinite(product[:, ~finite]).any()
    clean = {name: np.where(finite[:, None], part, np.zeros(1, part.dtype)) for name, part in parts.items()}
    product[:, ~finite] = 0
    assert excess(QMatrix(tag, (37, 96), clean), x, product) <= 1


# -- the bound is narrow


@every_integer
@pytest.mark.parametrize("n", [1, 3])
@pytest.mark.parametrize("cols", [64, 288])
def test_the_bound_sees_a_lost_column_or_block_and_a_wrong_zero_point(tag: str, n: int, cols: int) -> None:
    """Otherwise the tests above would prove nothing."""
    cols = fitting(tag, cols)
    q, x = lossless_activations(tag, 18, cols, n, seed=5, exponents=1)
    right = x.astype(np.float64) @ decoded(q).T
    (codes,) = INTEGERS[tag](q.parts, 18, cols)
    narrow = integer_bound([codes], x.astype(np.float64), lossless=True)
    for lost in (slice(cols - 1, cols), slice(0, 1), slice(32, 64), slice(cols - 32, cols)):
        rest = x.astype(np.float64)
        rest[:, lost] = 0
        off = np.abs(rest @ decoded(q).T - right)
        seen = 0.8 if tag == "MXF4" else 0.9  # its codes are small beside their zero point
        assert (off > narrow)[off > 0].mean() > seen  # a lost weight of 0 changes nothing
    shifted = np.abs((x.astype(np.float64) * codes.factor) @ codes.scale.T)
    assert (shifted > narrow).mean() > 0.9


@every_float
def test_the_bound_of_floats_sees_a_lost_column(tag: FourCC) -> None:
    q = made(tag, 40, 513)
    x = numbers(normal, 6, (4, q.shape[1]))
    for lost in (0, 256, 511, 512):
        rest = x.astype(np.float64)
        rest[:, lost] = 0
        assert excess(q, x, rest @ decoded(q).T) > 1


@every_integer
def test_the_bound_with_rounding_sees_a_lost_block(tag: str) -> None:
    """This holds for ordinary activations, whose rounding the bound allows for."""
    q = made(tag, 40, 512)
    x = numbers(normal, 6, (4, 512))
    for lost in (slice(0, 32), slice(256, 288), slice(480, 512)):
        rest = x.astype(np.float64)
        rest[:, lost] = 0
        assert excess(q, x, rest @ decoded(q).T) > 1


# -- threads, and activations together


@every
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("n", [1, 7])
def test_threads_do_not_show(tag: FourCC, shape: tuple[int, int], n: int) -> None:
    q = stored(tag, *shape)
    x = numbers(normal, 3, (n, q.shape[1]))
    alone = q.matmul(x, 1)
    for threads in (2, 3, 5):
        assert q.matmul(x, threads).tobytes() == alone.tobytes()
    if str(tag) in SAMPLE:
        assert q.matmul(x, 2, exact=True).tobytes() == q.matmul(x, 1, exact=True).tobytes()


@every
def test_threads_do_not_show_where_an_activation_is_long(tag: FourCC) -> None:
    """Several rows are read side by side then: neither where they are cut nor how many there are may show."""
    q = stored(tag, 101, 8192)
    x = numbers(normal, 5, (1, 8192))
    alone = q.matmul(x, 1)
    for threads in (2, 3, 5):
        assert q.matmul(x, threads).tobytes() == alone.tobytes()


@every_encoded
def test_activations_together_and_alone(tag: FourCC) -> None:
    """With any number of them each stays within the bound; equal ones give equal results."""
    q = made(tag, 37, 288)
    x = numbers(normal, 4, (19, q.shape[1]))
    x[11] = x[3]
    for n in (1, 2, 3, 4, 5, 8, 9, 16, 19):
        product = q.matmul(x[:n])
        assert excess(q, x[:n], product) <= 1
    assert product[11].tobytes() == product[3].tobytes()
    for each, together in zip(x, product, strict=True):
        assert excess(q, each[None], (q @ each)[None]) <= 1
        assert excess(q, each[None], together[None].copy(), count=len(x)) <= 1


def first_rows(full: QMatrix, rows: int) -> QMatrix:
    """The first rows of a matrix: its parts, cut."""
    geom = Geometry(rows, full.shape[1], full.params)
    parts = {part.name: part.cut(full.parts[part.name], 0, rows) for part in full.format.parts}
    if any(parts[part.name].shape != part.shape(geom) for part in full.format.parts):
        pytest.skip("its blocks run on from row to row")
    return QMatrix(full.tag, (rows, full.shape[1]), parts, full.params)


@every_encoded
@pytest.mark.parametrize("cols", [160, 8192])
def test_a_row_does_not_depend_on_the_others(tag: FourCC, cols: int) -> None:
    """Rows come eight or sixteen at a time, or one by one at the end."""
    cols = fitting(tag, cols)
    full = encode(numbers(normal, 7, (128, cols)), tag)
    x = numbers(normal, 8, (1, cols))
    several = numbers(normal, 9, (6, cols))
    for rows in (6, 7, 8, 9, 15, 16, 17, 31, 127):
        some = first_rows(full, rows)
        assert some.matmul(x).tobytes() == full.matmul(x)[:, :rows].tobytes()
        assert some.matmul(several).tobytes() == np.ascontiguousarray(full.matmul(several)[:, :rows]).tobytes()


# -- shapes, and where activations lie


@every
@pytest.mark.parametrize("shape", [(0, 32), (5, 0), (0, 0)], ids=str)
def test_empty_matrices(tag: FourCC, shape: tuple[int, int]) -> None:
    """Without a column, the sum is 0."""
    q = stored(tag, *shape)
    rows, cols = q.shape
    for n in (0, 1, 3):
        product = q.matmul(np.ones((n, cols)))
        assert (product.shape, product.dtype) == ((n, rows), np.float32)
        assert not product.any()
    assert (q @ np.ones(cols)).shape == (rows,)


@every_encoded
def test_no_activation(tag: FourCC) -> None:
    q = made(tag, 3, 64)
    assert q.matmul(np.ones((0, q.shape[1]))).shape == (0, 3)
    assert (q @ np.ones((q.shape[1], 0))).shape == (3, 0)


@every_encoded
@pytest.mark.parametrize("cols", [96, 512])
def test_where_and_how_activations_lie_in_memory_does_not_matter(tag: FourCC, cols: int) -> None:
    """512 columns need no padding, so they are taken from where they are."""
    q = made(tag, 18, cols)
    cols = q.shape[1]
    x = numbers(normal, 5, (3, cols))
    expected = q.matmul(x)
    wide = np.zeros((6, 2 * cols), np.float32)
    wide[::2, ::2] = x
    frozen = x.copy()
    frozen.flags.writeable = False
    unaligned = np.frombuffer(b"\0" + x.tobytes(), np.uint8)[1:].view(np.float32).reshape(x.shape)
    for other in (
        wide[::2, ::2],
        np.asfortranarray(x),
        frozen,
        unaligned,
        x[::-1].copy()[::-1],
        x.astype(np.float64),
        x.astype(">f4"),
        x.tolist(),
    ):
        assert q.matmul(other).tobytes() == expected.tobytes()
    np.testing.assert_array_equal(q @ x.T, expected.T)
    np.testing.assert_array_equal(q.matmul(np.broadcast_to(x[:1], (3, cols)))[1:], q.matmul(x[[0, 0]]))


@every_encoded
def test_the_activations_are_left_as_they_were(tag: FourCC) -> None:
    q, x = made(tag, 18, 512), numbers(normal, 5, (3, 512))
    before = x.copy()
    q.matmul(x)
    np.testing.assert_array_equal(x, before)


def test_activations_that_do_not_fit_are_refused_in_words() -> None:
    q = made("Q8_0", 18, 64)
    named = QMatrix(q.tag, q.shape, q.parts, name="layers.0.wq")
    with pytest.raises(UsageError, match=r"the activations do not fit.*\(3, 63\).*\(n, 64\)"):
        q.matmul(np.ones((3, 63)))
    with pytest.raises(UsageError, match=r"the activations do not fit.*\(64,\).*\(n, 64\)"):
        q.matmul(np.ones(64))
    with pytest.raises(
        UsageError, match=r"the activations do not fit `q @ x`: found \(18,\), expected \(64,\) or \(64, n\)"
    ):
        q @ np.ones(18)
    with pytest.raises(
        UsageError, match=r"found \(18, 64\), expected \(64,\) or \(64, n\). q.matmul\(x\) takes \(n, 64\)"
    ):
        q @ np.ones((18, 64))
    with pytest.raises(
        UsageError, match=r"tensor 'layers.0.wq': the activations do not fit `q @ x`: found \(1, 64, 1\)"
    ):
        named @ np.ones((1, 64, 1))
    with pytest.raises(UsageError, match=r"bad number of threads.*0.*1 to 1024"):
        q.matmul(np.ones((1, 64)), threads=0)


def test_only_a_matrix_can_be_multiplied() -> None:
    w = numbers(normal, 1, (6, 64)).reshape(2, 3, 64)
    experts, vector = encode(w, "Q4_0"), encode(w[0, 0], "F32")
    x = numbers(normal, 2, (4, 64))
    with pytest.raises(UsageError, match=r"only a matrix can be multiplied.*\(2, 3, 64\).*\(rows, cols\)"):
        experts.matmul(x)
    with pytest.raises(UsageError, match=r"only a matrix can be multiplied.*\(64,\).*\(rows, cols\)"):
        vector @ x[0]


@every_encoded
def test_experts_are_multiplied_one_by_one(tag: FourCC) -> None:
    cols = fitting(tag, 96)
    w = np.stack([numbers(normal, seed, (130, cols)) for seed in range(3)])
    experts, x = encode(w, tag), numbers(normal, 9, (4, cols))
    for each, alone in zip(experts, w, strict=True):
        assert each.matmul(x).tobytes() == encode(alone, tag).matmul(x).tobytes()
        assert excess(each, x, each.matmul(x)) <= 1
    assert experts[-1].matmul(x).tobytes() == encode(w[-1], tag).matmul(x).tobytes()


# -- where the weights lie


def moved(part: Array, by: int) -> Array:
    """A copy at an address that is `by` bytes behind a multiple of 64."""
    memory = np.zeros(part.nbytes + 128, np.uint8)
    start = -memory.ctypes.data % 64 + by
    memory[start : start + part.nbytes] = np.frombuffer(part.tobytes(), np.uint8)
    return memory[start : start + part.nbytes].view(part.dtype).reshape(part.shape)


@every_encoded
@pytest.mark.parametrize("by", [1, 2, 3, 63])
def test_weights_at_any_address(tag: FourCC, by: int) -> None:
    q = made(tag, 37, 160)
    x = numbers(normal, 2, (3, q.shape[1]))
    other = attrs.evolve(q, parts={name: moved(part, by) for name, part in q.parts.items()})
    assert other.matmul(x).tobytes() == q.matmul(x).tobytes()
    assert (other @ x[0]).tobytes() == (q @ x[0]).tobytes()


@every_encoded
def test_weights_with_gaps_between_them(tag: FourCC) -> None:
    """An expert's have gaps in a stack whose leading dimension is not the outermost in memory."""
    q = made(tag, 37, 160)
    x = numbers(normal, 2, (3, q.shape[1]))
    other = attrs.evolve(q, parts={name: np.stack([part, part], axis=-1)[..., 0] for name, part in q.parts.items()})
    assert other.matmul(x).tobytes() == q.matmul(x).tobytes()


@pytest.mark.skipif(sys.platform != "linux", reason="protects a page with mprotect")
@pytest.mark.parametrize("exactly", [SOME, pytest.param(COMPACT, marks=pytest.mark.thorough)], ids=["some", "all"])
def test_nothing_beyond_the_weights_is_read(exactly: list[str]) -> None:
    """A mapped file may end where the weights end; exact products of some formats at every run."""
    script = Path(__file__).parent / "guarded_memory.py"
    done = subprocess.run(
        [sys.executable, script, *exactly], env=environment(), cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{len(COMPACT)} formats\n"


def test_products_with_a_mapped_file(tmp_path: Path) -> None:
    """The parts are read-only views of the file; an expert begins where the one before it ends."""
    w = np.stack([numbers(normal, seed, (37, 256)) for seed in range(3)])
    x = numbers(normal, 4, (5, 256))
    write_model(tmp_path / "model.bin", {str(tag): encode(w, tag) for tag in ENCODED})
    with fourcc.open(tmp_path / "model.bin") as model:
        for tag in ENCODED:
            for index in range(3):
                assert model[str(tag)][index].matmul(x).tobytes() == encode(w[index], tag).matmul(x).tobytes()


# -- NaN, infinity, damage


@every_encoded
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("cols", [32, 160, 544])
def test_activations_that_are_not_finite_show(tag: FourCC, value: float, cols: int) -> None:
    """Every result of that activation shows it, and no other result."""
    q = made(tag, 37, cols)
    cols = q.shape[1]
    x = numbers(normal, 3, (11, cols))
    right = q.matmul(x)
    for column in (0, cols // 2, cols - 1):
        bad = x.copy()
        bad[4, column] = value
        product = q.matmul(bad)
        assert not np.isfinite(product[4]).any()
        assert np.isnan(product[4]).all() or not np.isnan(value)
        np.testing.assert_array_equal(np.delete(product, 4, axis=0), np.delete(right, 4, axis=0))
        assert not np.isfinite(q @ bad[4]).any()
        assert not np.isfinite(q.matmul(bad[4:5], exact=True)).any()


@every_encoded
def test_not_a_number_shows_where_weights_are_zero(tag: FourCC) -> None:
    cols = fitting(tag, 64)
    q = encode(np.zeros((18, cols), np.float32), tag)
    x = np.ones((3, cols), np.float32)
    x[1, 40] = np.nan
    product = q.matmul(x)
    assert np.isnan(product[1]).all()
    if str(tag) == "MXF4":  # none of its scales is 0
        assert excess(q, x[[0, 2]], product[[0, 2]]) <= 1
    else:
        assert not product[[0, 2]].any()
    assert np.isnan(q @ x[1]).all()


@every
@pytest.mark.parametrize("seed", range(3))
def test_damaged_weights_never_crash(tag: FourCC, seed: int) -> None:
    """With random bytes as scales and codes, the product has its shape, whatever its numbers."""
    cols = fitting(tag, 288)
    q = damaged(tag, 37, cols, seed)
    for n in (1, 3, 9):
        x = numbers(normal, seed, (n, cols))
        with np.errstate(all="ignore"):
            assert q.matmul(x).shape == q.matmul(x, exact=True).shape == (n, 37)


@pytest.mark.parametrize("tag", [tag for tag in CODED if tag not in {"Q8_A", "MXF4"}])  # scales of 128 rows; never NaN
def test_a_row_of_bad_scales_spoils_no_other(tag: str) -> None:
    q = made(tag, 37, 288)
    x = numbers(normal, 3, (5, q.shape[1]))
    parts = {name: part.copy() for name, part in q.parts.items()}
    scales = parts["blocks"]["d"] if "blocks" in parts else parts["scales"]
    scales[20] = np.nan
    bad = attrs.evolve(q, parts=parts)
    for product, right in ((bad.matmul(x), q.matmul(x)), (bad.matmul(x[:1]), q.matmul(x[:1]))):
        assert np.isnan(product[:, 20]).all()
        np.testing.assert_array_equal(np.delete(product, 20, axis=1), np.delete(right, 20, axis=1))
