"""Encoders of ggml's super-blocks whose groups have a scale and a minimum, which are multiples of the block's own two.

Every operation is that of `fourcc.formats.searches.affine_search` and `fourcc.formats.searches.super_scales`, for
sixteen groups at once: one block where groups have 16 weights, two blocks where they have 32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fourcc.kernels.encoders.affine_search import AffineSearch
from fourcc.kernels.encoders.lanes import (
    LANES,
    SPARE,
    STAGED,
    TRIED,
    ZERO,
    EncodePair,
    X,
    block_encoder,
    finite_inverse,
    largest_of_positive,
    nearest,
    order_codes,
    pair_encoder,
)
from fourcc.kernels.kernel import Encoder
from fourcc.kernels.simd.arithmetic import add, divide, floats_of, ints_from_floats, multiply, subtract
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.load_wide import load_float16, load_float_pair
from fourcc.kernels.simd.memory import VECTOR, load_floats, store, store_float
from fourcc.kernels.simd.select import where_equal
from fourcc.kernels.simd.store_narrow import store_float16, store_low_bytes

WeighErrors = Callable[[int], None]  # (scratch)
StoreScales = Callable[[int, int, int], None]  # (block, scales, minima)
StoreCodes = Callable[[int, int], None]  # (block, codes)
Quantize = Callable[[Lanes, int, int, int], tuple[Lanes, Lanes]]
EncodeCodes = Callable[[Lanes, Lanes, Lanes, Lanes, int], None]
WIDTH = 256  # columns of a block
MINUS_ONE = np.float32(-1)
SCALES, MINIMA = SPARE + VECTOR, SPARE + VECTOR + LANES  # of sixteen groups, a byte each


@dataclass(frozen=True)
class AffineBlock:
    """A format's super-block.

    Attributes:
        group: weights of a group, 16 or 32.
        size: bytes of the block.
        d: byte offset of the scale of the groups' scales, float16.
        dmin: byte offset of the scale of the groups' minima, float16.
        top: largest code.
        scale_top: largest code of a scale, and of a minimum.
        weigh_errors: writes the weights of the errors at `lanes.X` to `lanes.IMPORTANCE`.
        search: made by `affine_search`.
        store_scales: stores the scales and minima of a block, which lie at two addresses, a byte each.
        store_codes: stores 256 int32 codes in a block.
    """

    group: int
    size: int
    d: int
    dmin: int
    top: int
    scale_top: int
    weigh_errors: WeighErrors
    search: AffineSearch
    store_scales: StoreScales
    store_codes: StoreCodes


def affine_encoder(layout: AffineBlock) -> Encoder:
    """The encoder of a format of such blocks."""
    encode_pair = _pair_encoder(layout)
    if layout.group == 32:
        return pair_encoder(layout.size, encode_pair)

    def encode_block(block: int, scratch: int) -> None:
        encode_pair(block, block, scratch)

    return block_encoder(layout.size, encode_block)


def _pair_encoder(layout: AffineBlock) -> EncodePair:
    """The function that encodes the sixteen groups at X into two blocks, or into the first one where groups have 16."""
    group, d, dmin = layout.group, layout.d, layout.dmin
    weigh_errors, search = layout.weigh_errors, layout.search
    store_scales, store_codes = layout.store_scales, layout.store_codes
    quantize, encode_codes = _quantizer(group, layout.scale_top), _code_encoder(group, layout.top)

    def encode_pair(one: int, other: int, scratch: int) -> None:
        weigh_errors(scratch)
        scale, low, inverse, base = search(scratch)
        scales, stored_scale = quantize(scale, one + d, other + d, scratch)
        minima, stored_minimum = quantize(multiply(low, floats_of(MINUS_ONE)), one + dmin, other + dmin, scratch)
        store_low_bytes(scratch + SCALES, ints_from_floats(scales))
        store_low_bytes(scratch + MINIMA, ints_from_floats(minima))
        encode_codes(inverse, base, stored_scale, stored_minimum, scratch)
        store_scales(one, scratch + SCALES, scratch + MINIMA)
        store_codes(one, scratch + STAGED)
        if group != 16:
            store_scales(other, scratch + SCALES + 8, scratch + MINIMA + 8)
            store_codes(other, scratch + STAGED + 4 * WIDTH)

    return encode_pair


def _quantizer(group: int, scale_top: int) -> Quantize:
    """The function that quantizes sixteen scales or minima to multiples of their block's float16.

    It stores that float16 at both addresses, and returns the multiples and the products that a decoder computes.
    """
    top = np.float32(scale_top)

    def quantize(values: Lanes, one: int, other: int, scratch: int) -> tuple[Lanes, Lanes]:
        store(scratch + SPARE, values)
        low, high = largest_of_positive(scratch + SPARE, 0, 8), largest_of_positive(scratch + SPARE, 8, 16)
        if group == 16:
            low = high = max(low, high)  # neither is -0
        store_float16(one, low / top)
        store_float16(other, high / top)
        store_float(scratch + SPARE, low)
        store_float(scratch + SPARE + 4, high)
        inverse = finite_inverse(floats_of(top), load_float_pair(scratch + SPARE))
        multiples = nearest(multiply(inverse, values), ZERO, top)
        store_float(scratch + SPARE, load_float16(one))
        store_float(scratch + SPARE + 4, load_float16(other))
        return multiples, multiply(load_float_pair(scratch + SPARE), multiples)

    return quantize


def _code_encoder(group: int, top: int) -> EncodeCodes:
    """The function that writes the nearest codes to STAGED, for the scales and minima as they are stored.

    Where a stored scale is 0, the codes are those of the search: its inverse scale and lower bound make them again.
    """
    code_top = np.float32(top)

    def encode_codes(inverse: Lanes, base: Lanes, scale: Lanes, minimum: Lanes, scratch: int) -> None:
        for at in range(0, VECTOR * group, VECTOR):
            x = load_floats(scratch + X + at)
            searched = nearest(multiply(inverse, subtract(x, base)), ZERO, code_top)
            best = nearest(divide(add(x, minimum), scale), ZERO, code_top)
            store(scratch + TRIED + at, where_equal(scale, floats_of(ZERO), searched, best))
        order_codes(group, scratch)

    return encode_codes
