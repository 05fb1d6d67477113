"""The choice of a kernel: one that a format declares, one made from its block decoder, or that of decoded weights."""

import numpy as np
import pytest

from fourcc import compute
from fourcc.arrays import Array
from fourcc.errors import PluginError, SlowProductsWarning
from fourcc.format import Format
from fourcc.kernels.f32 import KERNEL
from fourcc.part import Part, packed


def named(kernel: str) -> Format:
    """A format that names its kernel."""
    return Format(
        tag="T4x",
        name="t",
        summary="floats",
        block=(1, 1),
        parts=(Part("values", "<f4", tail=lambda geom: (geom.cols,)),),
        decode=lambda parts, _: np.array(parts["values"]),
        kernel=kernel,
    )


def test_a_name_leads_to_the_kernel() -> None:
    assert compute.kernel_of(named("fourcc.kernels.f32:KERNEL")) is KERNEL


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("fourcc.kernels.nix:KERNEL", "ImportError: kernel='fourcc.kernels.nix:KERNEL': No module named"),
        ("fourcc.kernels.f32:KERNE", "ImportError: kernel='fourcc.kernels.f32:KERNE': .* has no attribute 'KERNE'"),
        ("f32 KERNEL", "ImportError: kernel='f32 KERNEL': invalid format"),
        ("fourcc.kernels.f32", "TypeError: kernel='fourcc.kernels.f32' gave a module"),
    ],
)
def test_a_wrong_name_is_said_in_words(name: str, says: str) -> None:
    """The error names the format, the text, and what is missing."""
    with pytest.raises(PluginError, match=f"no products with the format T4x: its kernel cannot be made: found {says}"):
        compute.kernel_of(named(name))


def steps(count: int) -> Format:
    """A format whose block decoder takes two operations for each of some steps."""

    def decode_block(codes: Array, weights: Array) -> None:
        for index in range(32):
            weight = codes[index] * 0.5
            for _ in range(count):
                weight = weight * weight + 1.5
            weights[index] = weight

    return Format(tag="Stpx", summary="", block=32, parts=(packed("codes", bits=4),), decode_block=decode_block)


def test_a_decoder_that_is_too_long_decodes_first() -> None:
    """It would take longer than the product of decoded weights, however many activations there are."""
    assert compute.kernel_of(steps(15)).level == "fused"
    told = r"test_choosing\.py:\d+: about 53 operations a weight, and decoding first is faster from 40 on$"
    with pytest.warns(
        SlowProductsWarning, match=f"^products with the format Stpx decode the whole matrix first: {told}"
    ):
        reason = compute.why_decoded(long := steps(25))
    assert reason is not None
    assert reason.startswith("its block decoder is too long: test_choosing.py:")
    assert compute.kernel_of(long).level == "decode"


def table_of(count: int) -> Format:
    """A format that looks up twice in a table."""
    table = np.sin(np.arange(count)).astype(np.float32)

    def decode_block(codes: Array, weights: Array) -> None:
        for index in range(32):
            weights[index] = table[codes[index]] * table[codes[31 - index]]

    return Format(tag="Tabx", summary="", block=32, parts=(packed("codes", bits=8),), decode_block=decode_block)


def test_entries_of_long_tables_count_more() -> None:
    """They come from memory, one by one."""
    assert 1 < compute.kernel_of(table_of(64)).operations < 5
    assert 25 < compute.kernel_of(table_of(256)).operations < 32
