"""Products of hostile parts: infinite weights show, finite ones stay, and bits that decoding ignores do not count."""

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc import encode
from fourcc.arrays import Array
from fourcc.compute.choosing import kernel_of
from fourcc.kernels.kernel import LARGE
from fourcc.plugins.registry import registry
from fourcc.qmatrix import QMatrix
from fourcc.settings import complete
from fourcc.tags import FourCC, as_tag
from tests.examples import examples
from tests.formats.checks import random_parts
from tests.kernels.bounds import INTEGERS, bound, decoded
from tests.kernels.hostile import hostile
from tests.kernels.one_of_each_kind import TWINS, marked
from tests.kernels.random_inputs import SEEDS, TAGS, fitting, normal, numbers

every = pytest.mark.parametrize("tag", marked(TAGS), ids=str)
COUNTS = st.sampled_from([1, 2, 5, 33, 41])  # of activations: every way of multiplying them is taken
COLUMNS = st.sampled_from([1, 2, 31, 33, 64, 127, 129, 255, 300])
SCALES = st.sampled_from([-60, -8, 0, 8])  # of activations, powers of two
NEAR = 2.0**127  # a sum of magnitudes up to here is finite, in whatever order it is added up


# -- near overflow


@every
@examples(15)
@given(rows=st.sampled_from([1, 17, 40]), cols=COLUMNS, n=COUNTS, scale=SCALES, seed=SEEDS)
def test_weights_that_are_not_finite_show_and_finite_ones_stay(
    tag: FourCC, rows: int, cols: int, n: int, scale: int, seed: int
) -> None:
    """No result of a row with a weight that is not finite is finite; every other one is, and is right."""
    q = hostile(tag, rows, cols, seed)
    x = numbers(normal, seed, (n, q.shape[1]), scale)
    for exact in (False, True):
        check_finite(q, x, q.matmul(x, exact=exact), exact=exact)


def check_finite(q: QMatrix, x: Array, product: Array, *, exact: bool) -> None:
    """Results of finite weights are right where the sum of magnitudes is far from float32's ends; others show."""
    weights, wide = decoded(q), x.astype(np.float64)
    sound = np.isfinite(weights).all(axis=1)
    assert not np.isfinite(product[:, ~sound]).any()
    sure = np.abs(wide) @ np.abs(weights[sound]).T < NEAR  # (n, sound rows)
    assert np.isfinite(product[:, sound][sure]).all()
    with np.errstate(all="ignore"):  # rows that are not sound
        allowed = bound(q, wide, exact=exact)[:, sound]
        off = np.abs(product[:, sound] - wide @ weights[sound].T)
    assert (off <= allowed)[sure].all()


@pytest.mark.parametrize("n", [1, 3, 33])
def test_a_level_beyond_float32_shows(n: int) -> None:
    """MXF4: its largest level times 2^126 is infinite, its least is not."""
    blocks = encode(np.ones((2, 64), np.float32), "MXF4").parts["blocks"].copy()
    blocks["e"], blocks[next(name for name in blocks.dtype.names if name != "e")] = 254, 0
    blocks[blocks.dtype.names[1]][1, 0, 0] = 7
    q = QMatrix(as_tag("MXF4"), (2, 64), {"blocks": blocks}, {})
    assert np.isinf(q.decode()[1, 0])
    product = q.matmul(np.full((n, 64), 2.0**-60, np.float32))
    assert not product[:, 0].any()
    assert not np.isfinite(product[:, 1]).any()


@pytest.mark.parametrize("tag", ["Q8_A", "Q8_B"])
@pytest.mark.parametrize("n", [1, 3, 33])
def test_a_sum_of_codes_does_not_overflow_where_the_product_does_not(tag: str, n: int) -> None:
    """The scale is 3e38, and the activations are small."""
    parts = {name: part.copy() for name, part in encode(np.ones((3, 40), np.float32), tag).parts.items()}
    parts["scales"][...], parts["q"][...] = 3e38, 0
    parts["q"][:, 0] = 100
    if "means" in parts:
        parts["means"][...] = 0
    product = QMatrix(as_tag(tag), (3, 40), parts, {}).matmul(np.full((n, 40), 0.01, np.float32))
    np.testing.assert_allclose(product, 3e38 / 127, rtol=1e-5)


@pytest.mark.parametrize("tag", INTEGERS)
@examples(15)
@given(rows=st.sampled_from([1, 17, 40]), cols=COLUMNS, n=COUNTS, seed=SEEDS)
def test_sums_of_codes_are_finite_as_far_as_the_page_says(tag: str, rows: int, cols: int, n: int, seed: int) -> None:
    """The activations are the largest that the page allows, all of one sign or of both."""
    random = np.random.default_rng(seed)
    q = of_normal(as_tag(tag), rows, cols)
    q = attrs.evolve(q, parts={name: stretched(part, random) for name, part in q.parts.items()})
    codes = INTEGERS[tag](q.parts, *q.shape)
    counted = [part for each in codes for part in ([each.factor] if tag == "Q8_A" else [each.scale, each.offset])]
    largest = max(np.abs(part).max() for part in counted)
    size = np.float32(2.0**109 / max(1, largest * q.shape[1]))
    x = random.choice(random.choice([[size, size], [size, -size]]), (n, q.shape[1]))
    check_finite(q, x, q.matmul(x), exact=False)
    assert np.isfinite(q.matmul(x)).all()


def stretched(part: Array, random: np.random.Generator) -> Array:
    """The part with its scales and means times a power of two, and its codes at one end of their range."""
    result = part.copy()
    for name in result.dtype.names or ():
        result[name] = stretched(result[name], random)
    if result.dtype.kind == "f":
        result *= result.dtype.type(2.0 ** random.integers(-8, 9))
    elif not result.dtype.names and result.dtype == np.int8:
        result[...] = random.choice([-128, 127])
    return result


@every
def test_scales_up_to_the_limit_are_multiplied_as_any_other(tag: FourCC) -> None:
    """Another product takes the matrix only above the limit."""
    q = of_ones(tag)
    kernel = kernel_of(registry[tag], q.params)
    assert kernel.for_parts(q.parts) is kernel
    above = np.nextafter(np.float32(LARGE), np.float32(np.inf))
    if any(part.dtype == np.float32 for part in q.parts.values()):
        assert kernel.for_parts(with_largest(q, LARGE)) is kernel.for_parts(with_largest(q, -LARGE)) is kernel
        for number in (above, -above):
            assert (kernel.for_parts(with_largest(q, number)) is kernel) == (kernel.careful is None)


def test_powers_of_two_up_to_the_limit_are_multiplied_as_any_other() -> None:
    """MXF4's scale is 2^(e - 128)."""
    q = of_ones(as_tag("MXF4"))
    kernel = kernel_of(registry[q.tag])
    for e, careful in ((192, False), (193, True), (255, True)):
        blocks = q.parts["blocks"].copy()
        blocks["e"][-1, -1] = e
        assert (kernel.for_parts({"blocks": blocks}) is not kernel) == careful


def of_ones(tag: FourCC) -> QMatrix:
    """A matrix of ones; without an encoder, of random bytes whose floats are 1."""
    cols = fitting(tag, 64)
    if registry[tag].encode is not None:
        return encode(np.ones((3, cols), np.float32), tag)
    params = complete(registry[tag].params, {})
    parts = random_parts(str(tag), 3, cols, 1, params)
    ones = {name: np.ones_like(part) if part.dtype.kind == "f" else part for name, part in parts.items()}
    return QMatrix(tag, (3, cols), ones, params)


def with_largest(q: QMatrix, number: float) -> dict[str, Array]:
    """The parts, with `number` as the last entry of every one that is float32."""
    parts = {name: part.copy() for name, part in q.parts.items()}
    for part in parts.values():
        if part.dtype == np.float32:
            part.flat[-1] = number
    return parts


# -- bits that decoding ignores

# Tags and columns; columns that a format's blocks make the same number of are one case.
WIDTHS = [
    pytest.param(str(tag), cols, marks=[pytest.mark.thorough] * (str(tag) in TWINS))
    for tag in TAGS
    for cols in sorted({fitting(tag, each) for each in (1, 3, 129)})
]


@pytest.mark.parametrize(("tag", "cols"), WIDTHS)
def test_bits_that_decoding_ignores_do_not_count(tag: str, cols: int) -> None:
    """The padding of a row's last byte, and table entries that no code names, may hold any bits, NaN among them."""
    q = of_normal(as_tag(tag), 3, cols)
    spoilt = with_garbage(q)
    x = numbers(normal, 2, (41, q.shape[1]))
    for n in (1, 3, 41):
        np.testing.assert_array_equal(spoilt.matmul(x[:n]), q.matmul(x[:n]))
        np.testing.assert_array_equal(spoilt.matmul(x[:n], exact=True), q.matmul(x[:n], exact=True))


def of_normal(tag: FourCC, rows: int, cols: int) -> QMatrix:
    """A matrix of normal weights; without an encoder, of random bytes."""
    cols = fitting(tag, cols)
    if registry[tag].encode is not None:
        return encode(numbers(normal, 1, (rows, cols)), tag)
    params = complete(registry[tag].params, {})
    return QMatrix(tag, (rows, cols), random_parts(str(tag), rows, cols, 1, params), params)


def with_garbage(q: QMatrix) -> QMatrix:
    """The matrix with other bits wherever that leaves the decoded weights as they are."""
    parts = {name: part.copy() for name, part in q.parts.items()}
    garbled = attrs.evolve(q, parts=parts)
    right = q.decode()
    for part in parts.values():
        floats = part.dtype == np.float32
        places = part.reshape(-1) if floats else part.reshape(-1).view(np.uint8)
        for index in range(min(len(places), 200)):
            for change in (0,) if floats else (0xF0, 0x0F):
                before = places[index]
                places[index] = np.nan if floats else before ^ change
                if not np.array_equal(
                    attrs.evolve(garbled, parts=parts).decode(), right, equal_nan=right.dtype.kind == "f"
                ):
                    places[index] = before
    return garbled


def test_the_padding_of_a_row_of_odd_length() -> None:
    """The last nibble of Q4_A may name a bin that is NaN, and bin 0 of a short run may be NaN."""
    for spoilt, pair in ((15, 0x0F), (0, 0x30)):
        bins = np.ones((1, 1, 16), np.float32)
        bins[..., spoilt] = np.nan
        q = QMatrix(as_tag("Q4_A"), (1, 1), {"bins": bins, "q": np.array([[pair]], np.uint8)}, {})
        for n in (1, 2, 3, 4, 5, 41):
            np.testing.assert_array_equal(q.matmul(np.full((n, 1), 2.0)), 2)


def test_garbage_reaches_the_padding() -> None:
    """Otherwise the test above would prove nothing."""
    q = of_normal(as_tag("Q4_A"), 3, 3)
    spoilt = with_garbage(q)
    assert (spoilt.parts["q"][:, -1] & 15 == q.parts["q"][:, -1] & 15 ^ 15).all()
    assert np.isnan(spoilt.parts["bins"]).any()
