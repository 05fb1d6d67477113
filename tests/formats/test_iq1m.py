"""IQ1M, tested against ``specs/iq1m.md`` and to the package gguf."""

import numpy as np
import pytest

from fourcc.arrays import Array
from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.qmatrix import numpy_dtype
from fourcc.tags import as_tag
from tests.formats.checks import check_vectors, same_numbers
from tests.formats.oracle import check_decodes_as_gguf

FORMAT = registry[as_tag("IQ1M")]


def test_vectors() -> None:
    check_vectors("iq1m")


def test_decodes_any_bytes_as_gguf_does() -> None:
    check_decodes_as_gguf("IQ1M")


@pytest.mark.parametrize(
    "bits", [0x0001, 0x03FF, 0x0400, 0x3C00, 0x7BFF, 0x7C00, 0x7E01, 0x8000, 0x83FF, 0xBC00, 0xFC00]
)
def test_the_scattered_scale_is_a_float16(bits: int) -> None:
    """Run 0, eight codes 0, with scale 1 and a positive shift: -7/8 of it."""
    blocks = np.zeros((1, 1), numpy_dtype(FORMAT.parts[0].dtype))
    blocks["scales"][0, 0] = [bits >> 4 * nibble << 12 & 0xF000 for nibble in range(4)]
    w = FORMAT.decode({"blocks": blocks}, Geometry(1, 256))
    assert same_numbers(w, np.full((1, 256), np.uint16(bits).view(np.float16).astype(np.float32) * np.float32(-0.875)))


@pytest.mark.thorough
def test_every_float16_is_made_of_its_bits() -> None:
    bits = np.arange(1 << 16)
    with np.errstate(invalid="ignore"):  # some of the NaNs signal
        expected = bits.astype(np.uint16).view(np.float16).astype(np.float32) * np.float32(-0.875)
    assert same_numbers(decode_blocks_of_bits(bits), expected)


def decode_blocks_of_bits(bits: Array) -> Array:
    """The first weight of a block for each float16."""
    blocks = np.zeros((len(bits), 1), numpy_dtype(FORMAT.parts[0].dtype))
    blocks["scales"][:, 0] = bits[:, None] >> np.arange(0, 16, 4) << 12 & 0xF000
    return FORMAT.decode({"blocks": blocks}, Geometry(len(bits), 256))[:, 0]
