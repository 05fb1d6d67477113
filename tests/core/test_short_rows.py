"""A block that a row does not fill is decoded as the block that it is: products and `decode` give the same weights."""

from collections.abc import Callable

import numpy as np
import pytest

from fourcc import compute
from fourcc.arrays import Array, Parts
from fourcc.encoding import encode
from fourcc.format import Blocks, Format
from fourcc.part import packed, per_block
from fourcc.settings import Setting
from tests.core.fakes import installed


def encoded(blocks: Blocks) -> Parts:
    """Four bits a weight."""
    scale = np.abs(blocks.w).max(axis=1) / 7
    return {"scale": scale, "codes": (np.rint(blocks.w / scale[:, None]) + 8).astype(np.uint8)}


def by_the_width(scale: Array, codes: Array, weights: Array, width: int) -> None:
    """The formula names the parameter."""
    weights[:] = scale * (codes - 8) * (width / 64)


def in_halves(scale: Array, codes: Array, weights: Array, width: int) -> None:
    """The parameter says where the second half begins."""
    weights[: width // 2] = scale * (codes[: width // 2] - 8)
    weights[width // 2 :] = scale * (codes[width // 2 :] - 8) * 2


@pytest.mark.parametrize("decode", [by_the_width, in_halves])
@pytest.mark.parametrize("cols", [1, 31, 40, 64, 100])
def test_a_parameter_keeps_its_value_in_a_short_row(decode: Callable[..., None], cols: int) -> None:
    fmt = Format(
        tag="Shrt",
        summary="blocks whose width is a parameter",
        block="width",
        params=(Setting("width", 64, "weights with one scale", low=1),),
        parts=(per_block("scale", "<f4"), packed("codes", bits=4)),
        encode=encoded,
        decode_block=decode,
    )
    w = np.random.default_rng(cols).standard_normal((3, cols)).astype(np.float32)
    with installed(fmt):
        q = encode(w, "Shrt")
        doubled = (np.arange(cols) % 64 >= 32) & (decode is in_halves)
        scale = np.repeat(q.parts["scale"], 64, axis=1)[:, :cols]
        expected = scale * (fmt.unpacked(q.parts, fmt.geometry(w.shape))["codes"].astype(np.float32) - 8)
        np.testing.assert_array_equal(q.decode(), np.where(doubled, 2 * expected, expected))
        np.testing.assert_array_equal(compute.gather(q.packed, np.arange(3)), q.decode())
        assert q.packed.kernel.level == "fused"


def test_a_block_may_be_far_wider_than_the_rows() -> None:
    """A damaged file may say so; no memory is asked for what the row does not have."""
    fmt = Format(
        tag="Shrt",
        summary="blocks whose width is a parameter",
        block="width",
        params=(Setting("width", 64, "weights with one scale", low=1),),
        parts=(per_block("scale", "<f4"), packed("codes", bits=4)),
        encode=encoded,
        decode_block=lambda scale, codes, weights, width: weights.__setitem__(slice(None), scale * (codes - 8)),
    )
    w = np.random.default_rng(0).standard_normal((3, 40)).astype(np.float32)
    with installed(fmt):
        assert np.abs(encode(w, "Shrt", {"width": 10**18}).decode() - w).max() < 0.3
