"""Q8_0, tested against ``specs/q8_0.md`` and to the package gguf."""

import warnings

import gguf
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fourcc.arrays import Array
from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.formats.checks import check_naive, check_vectors, encoded, random_parts, same_numbers
from tests.formats.strategies import matrices

Q8_0 = registry[as_tag("Q8_0")]
BLOCKS = matrices(st.integers(1, 3), st.sampled_from([32, 64, 96]))


def by_gguf(w: Array) -> bytes:
    """The blocks that gguf encodes."""
    with warnings.catch_warnings(action="ignore"):  # it divides by scales of 0
        return gguf.quants.quantize(w, gguf.GGMLQuantizationType.Q8_0).tobytes()


def test_vectors() -> None:
    check_vectors("q8_0")


@given(BLOCKS)
def test_encodes_to_the_bytes_of_gguf(w: Array) -> None:
    assert encoded("Q8_0", w)["blocks"].tobytes() == by_gguf(w)


def test_encodes_random_bits_to_the_bytes_of_gguf() -> None:
    """Every exponent in one block, and blocks of one exponent; more blocks than one batch has."""
    bits = np.random.default_rng(1).integers(0, 2**32, (200, 1024), dtype=np.uint32)
    bits[::2] &= 0x80FF_FFFF
    w = bits.view(np.float32)
    w[~np.isfinite(w)] = 0
    assert encoded("Q8_0", w)["blocks"].tobytes() == by_gguf(w)


def test_encodes_halves_of_the_largest_weight_to_the_bytes_of_gguf() -> None:
    """127 / 2 lies half-way between two codes, so the last bit of d decides."""
    w = np.zeros((2048, 32), np.float32)
    w[:, 0] = np.arange(1, 2049) * 2.0
    w[:, 1] = np.arange(1, 2049)
    assert encoded("Q8_0", w)["blocks"].tobytes() == by_gguf(w)


def test_decodes_any_bytes_as_gguf_does() -> None:
    parts = random_parts("Q8_0", 64, 512, seed=2)
    with warnings.catch_warnings(action="ignore"):
        expected = gguf.quants.dequantize(
            parts["blocks"].view(np.uint8).reshape(64, -1), gguf.GGMLQuantizationType.Q8_0
        )
    assert same_numbers(Q8_0.decode(parts, Geometry(64, 512)), expected)


@given(matrices(st.just(2), st.just(64), largest=2.0**20))
def test_is_the_plain_python(w: Array) -> None:
    check_naive("Q8_0", w)


def test_half_away_from_zero_and_never_past_a_neighbour() -> None:
    """0.49999997 is not a half: adding 0.5 in float32 would round it to 1."""
    below = np.nextafter(np.float32(0.5), np.float32(0))
    w = np.array([[127, 0.5, -0.5, 2.5, -2.5, below, -below, *[0] * 25]], np.float32)
    blocks = encoded("Q8_0", w)["blocks"][0, 0]
    assert blocks["d"] == 1
    assert blocks["q"].tolist()[:7] == [127, 1, -1, 3, -3, 0, 0]


def test_codes_come_from_the_scale_before_it_is_rounded() -> None:
    w = np.linspace(-0.1, 0.1, 32, dtype=np.float32)[None]
    blocks = encoded("Q8_0", w)["blocks"][0, 0]
    scale = np.float32(w.max()) / np.float32(127)
    assert np.float32(blocks["d"]) != scale
    np.testing.assert_array_equal(blocks["q"], np.rint(w[0] / scale))


def test_codes_are_the_stored_integers() -> None:
    parts = random_parts("Q8_0", 3, 64, seed=3)
    assert Q8_0.codes is not None
    codes = Q8_0.codes(parts, Geometry(3, 64))
    assert codes.tobytes() == parts["blocks"]["q"].tobytes()
    assert codes.shape == (3, 64)
