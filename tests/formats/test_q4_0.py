"""Q4_0, tested against ``specs/q4_0.md`` and to the package gguf."""

import warnings

import gguf
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.arrays import Array
from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.formats.checks import check_naive, check_vectors, encoded, random_parts, same_numbers
from tests.formats.strategies import matrices

Q4_0 = registry[as_tag("Q4_0")]


def by_gguf(w: Array) -> bytes:
    """The blocks that gguf encodes."""
    with warnings.catch_warnings(action="ignore"):  # it divides by scales of 0
        return gguf.quants.quantize(w, gguf.GGMLQuantizationType.Q4_0).tobytes()


def test_vectors() -> None:
    check_vectors("q4_0")


@given(matrices(st.integers(1, 3), st.sampled_from([32, 64, 96])))
def test_encodes_to_the_bytes_of_gguf(w: Array) -> None:
    assert encoded("Q4_0", w)["blocks"].tobytes() == by_gguf(w)


def test_encodes_random_bits_to_the_bytes_of_gguf() -> None:
    """Every exponent in one block, and blocks of one exponent; more blocks than one batch has."""
    bits = np.random.default_rng(1).integers(0, 2**32, (200, 1024), dtype=np.uint32)
    bits[::2] &= 0x80FF_FFFF
    w = bits.view(np.float32)
    w[~np.isfinite(w)] = 0
    assert encoded("Q4_0", w)["blocks"].tobytes() == by_gguf(w)


def test_decodes_any_bytes_as_gguf_does() -> None:
    parts = random_parts("Q4_0", 64, 512, seed=2)
    with warnings.catch_warnings(action="ignore"):
        expected = gguf.quants.dequantize(
            parts["blocks"].view(np.uint8).reshape(64, -1), gguf.GGMLQuantizationType.Q4_0
        )
    assert same_numbers(Q4_0.decode(parts, Geometry(64, 512)), expected)


@given(matrices(st.just(2), st.just(64), largest=2.0**17))
def test_is_the_plain_python(w: Array) -> None:
    check_naive("Q4_0", w)


@pytest.mark.parametrize("sign", [1, -1])
def test_the_first_largest_magnitude_takes_code_0_with_either_sign(sign: int) -> None:
    w = np.zeros((1, 32), np.float32)
    w[0, 5], w[0, 9] = 8 * sign, -8 * sign
    assert Q4_0.codes is not None
    parts = encoded("Q4_0", w)
    codes = Q4_0.codes(parts, Geometry(1, 32))[0]
    assert (codes[5], codes[9], codes[0]) == (0, 15, 8)
    assert parts["blocks"]["d"].item() == -sign


def test_weights_j_and_j_plus_16_share_a_byte() -> None:
    w = np.zeros((1, 32), np.float32)
    w[0, 0], w[0, 16] = -8, 7
    assert encoded("Q4_0", w)["blocks"][0, 0]["q"][0] == 0xF0
