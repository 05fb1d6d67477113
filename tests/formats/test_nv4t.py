"""NV4T, tested against ``specs/nv4t.md``; the lane of NVFP4 asks compressed-tensors."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fourcc.formats.nv4t import NV4T as FORMAT
from fourcc.geometry import Geometry
from tests.formats.checks import check_naive, check_naive_decode, check_vectors, encoded, random_parts


def test_vectors() -> None:
    check_vectors("nv4t")


def test_decodes_any_bytes_as_plain_python_does() -> None:
    parts = {**random_parts("NV4T", 16, 512, seed=1), "second": np.array([0.37, 1.7], np.float32)}
    check_naive_decode("NV4T", parts, 16, 512)


@given(seed=st.integers(0, 1000), power=st.integers(-40, 40))
def test_encodes_as_plain_python_does(seed: int, power: int) -> None:
    random = np.random.default_rng(seed)
    sizes = np.exp2(random.integers(-14, 1, (2, 3, 1)))
    check_naive("NV4T", (random.standard_normal((2, 3, 16)) * sizes * 2.0**power).astype(np.float32).reshape(2, 48))


def test_a_factor_and_a_divisor_are_rounded_in_their_own_order() -> None:
    """A factor of 1 / 3 is another number than a divisor of 3."""
    parts = dict(random_parts("NV4T", 4, 64, seed=2))
    parts["scales"] = np.arange(16, dtype=np.uint8).reshape(4, 4) + 0x30
    third = np.float32(1) / np.float32(3)
    by_factor = FORMAT.decode({**parts, "second": np.array([third, 1], np.float32)}, Geometry(4, 64))
    by_divisor = FORMAT.decode({**parts, "second": np.array([1, 3], np.float32)}, Geometry(4, 64))
    assert (by_factor != by_divisor).any()
    np.testing.assert_allclose(by_factor, by_divisor, rtol=2e-7)


def test_neighbours_share_a_byte_low_nibble_first() -> None:
    parts = {
        "second": np.ones(2, np.float32),
        "scales": np.array([[0x38]], np.uint8),
        "q": np.array([[0xF7, *[0] * 7]], np.uint8),
    }
    assert FORMAT.decode(parts, Geometry(1, 16))[0, :3].tolist() == [6, -6, 0]


def test_the_largest_weight_has_the_largest_scale_and_level() -> None:
    w = np.random.default_rng(3).standard_normal((8, 64)).astype(np.float32)
    parts = encoded("NV4T", w)
    assert parts["scales"].max() == 0x7E
    v = FORMAT.decode(parts, Geometry(8, 64))
    at = np.abs(w).argmax()
    np.testing.assert_allclose(v.flat[at], w.flat[at], rtol=1e-6)
