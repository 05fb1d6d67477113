"""Products that round activations: all of their error is that of the rounded activations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc import encode
from fourcc.tags import FourCC, as_tag
from tests.examples import examples
from tests.kernels.activation_error import as_bfloat16, errors, excess_of_rounding, quantized, rms, rounds
from tests.kernels.bounds import INTEGERS, decoded
from tests.kernels.random_inputs import COUNTS, ENCODED, SEEDS, STYLES, columns, fitting, normal, numbers

MANY = 20  # activations, of which BF16's products round so many where the processor can
QUICK = {
    "BF16",
    "Q4_0",
    "Q4_1",
    "Q2_K",
    "Q8_B",
    "NF4",
    "Q4_A",
}  # a code, an offset, sums, floats; thorough runs try all
THOROUGH = [tag if str(tag) in QUICK else pytest.param(tag, marks=pytest.mark.thorough) for tag in ENCODED]
every = pytest.mark.parametrize("tag", THOROUGH, ids=str)
every_integer = pytest.mark.parametrize("tag", [str(tag) for tag in ENCODED if str(tag) in INTEGERS])


@every
def test_a_product_errs_as_rounded_activations_do(tag: FourCC) -> None:
    """Within 5 percent; and where activations are kept, not at all. The bounds know which formats round."""
    if rounds(tag, MANY):
        assert str(tag) in {"BF16", *INTEGERS}
        product, alone = errors(tag, 64, 512, MANY)
        assert 0.95 * alone < product < 1.05 * alone
    else:
        assert str(tag) not in INTEGERS


@every_integer
@examples(12)
@given(rows=st.integers(1, 40), n=COUNTS, seed=SEEDS, data=st.data())
def test_a_product_is_that_of_weights_and_rounded_activations(
    tag: str, rows: int, n: int, seed: int, data: st.DataObject
) -> None:
    """But for the rounding of sums: far less than what rounding activations costs."""
    style, other = data.draw(st.sampled_from(STYLES)), data.draw(st.sampled_from(STYLES))
    q = encode(numbers(style, seed, (rows, data.draw(columns(as_tag(tag))))), tag)
    x = numbers(other, seed + 1, (n, q.shape[1]))
    assert excess_of_rounding(q, x, q.matmul(x)) <= 1
    assert excess_of_rounding(q, x[:1], (q @ x[0])[None]) <= 1


@pytest.mark.parametrize("n", [1, MANY])
def test_means_meet_the_activations_as_they_are(n: int) -> None:
    """Q8_B's codes lie around them: the error is that of the distance from the mean, and not of the weight."""
    random = np.random.default_rng(3)
    w = (1 + 0.01 * random.standard_normal((64, 512))).astype(np.float32)
    x = random.standard_normal((n, 512)).astype(np.float32)
    q = encode(w, "Q8_B")
    exact = x.astype(np.float64) @ decoded(q).T
    off = rms(q.matmul(x) - exact)
    rounding_alone = quantized(x) - x.astype(np.float64)
    assert off < 0.02 * rms(rounding_alone @ decoded(q).T)
    assert off < 1.05 * rms(rounding_alone @ (decoded(q) - 1).T)


@pytest.mark.parametrize("tag", ["Q4_1", "Q5_1", "Q2_K", "Q4_K", "Q5_K"])
def test_the_bound_sees_a_minimum_that_meets_the_exact_sum(tag: str) -> None:
    """Otherwise the property above would prove nothing."""
    q = encode(numbers(normal, 1, (40, fitting(tag, 288))), tag)
    x = numbers(normal, 2, (3, q.shape[1]))
    (codes,) = INTEGERS[tag](q.parts, *q.shape)
    mixed = quantized(x) @ (codes.scale * codes.code).T + x.astype(np.float64) @ codes.offset.T
    assert excess_of_rounding(q, x, mixed) > 10


def test_the_quantizer_that_products_are_held_to() -> None:
    """By hand: a scale of 1, halves to even, a block of its own behind column 32; nothing below the least peak."""
    x = np.zeros((1, 34), np.float32)
    x[0, :5] = 127, 0.5, 1.5, -2.5, 0.51
    x[0, 32:] = 254, 3
    np.testing.assert_array_equal(quantized(x)[0, [0, 1, 2, 3, 4, 32, 33]], [127, 0, 2, -2, 1, 254, 4])
    assert not quantized(x * np.float32(2.0**-130)).any()
    np.testing.assert_array_equal(as_bfloat16(np.array([[1 + 2**-8, 1 + 3 * 2**-8]], np.float32)), [[1, 1 + 2**-6]])
