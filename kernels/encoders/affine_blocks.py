"""Encoders of ggml's super-blocks whose groups have a scale and a minimum, each a multiple of the block's own.

Every step is the one of `fourcc.formats.searches.affine_search` and `fourcc.formats.searches.super_scales`, for sixteen
groups at once: a block where groups are of 16 weights, two blocks where they are of 32.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from fourcc.kernels.encoders.block_by_block import Encoder
from fourcc.kernels.encoders.lanes import (
    LANES,
    SPARE,
    STAGED,
    TRIED,
    VECTOR,
    ZERO,
    X,
    block_encoder,
    finite_inverse,
    largest_of_positive,
    nearest,
    order_codes,
    pair_encoder,
)
from fourcc.kernels.simd.arithmetic import add, divide, floats_of, ints_from_floats, multiply, subtract
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.load_wide import load_float16, load_float_pair
from fourcc.kernels.simd.memory import load_floats, store, store_float
from fourcc.kernels.simd.select import where_equal
from fourcc.kernels.simd.store_narrow import store_float16, store_low_bytes

Function = Callable[..., Any]
WIDTH = 256  # columns of a block
MINUS_ONE = np.float32(-1)
SCALES, MINIMA = SPARE + VECTOR, SPARE + VECTOR + LANES  # of sixteen groups, a byte each


@dataclass(frozen=True)
class AffineBlock:
    """A format's super-block.

    Attributes:
        group: weights of a group, 16 or 32.
        size: bytes.
        d: where its scale of scales is, float16.
        dmin: where its scale of minima is.
        top: largest code.
        scale_top: largest scale, and largest minimum.
        count: (scratch) writes what errors count, for the weights at `groups.X`, to `groups.COUNTED`.
        search: as `affine_search` makes it.
        store_scales: (block, scales, minima) stores those of a block; there is a byte for each at the addresses.
        store_codes: (block, codes) stores 256 int32 codes.
    """

    group: int
    size: int
    d: int
    dmin: int
    top: int
    scale_top: int
    count: Function
    search: Function
    store_scales: Function
    store_codes: Function


def affine_encoder(form: AffineBlock) -> Encoder:
    """The encoder of a format of such blocks."""
    encode_groups = _groups_encoder(form)
    if form.group == 32:
        return pair_encoder(form.size, encode_groups)

    def encode_block(block: int, scratch: int) -> None:
        encode_groups(block, block, scratch)

    return block_encoder(form.size, encode_block)


def _groups_encoder(form: AffineBlock) -> Function:
    """The function that encodes what is at X into a block, or two."""
    group, d, dmin = form.group, form.d, form.dmin
    top, scale_top = np.float32(form.top), np.float32(form.scale_top)
    count, search, store_scales, store_codes = form.count, form.search, form.store_scales, form.store_codes

    def multiples(values: Lanes, one: int, other: int, scratch: int) -> tuple[Lanes, Lanes]:
        """Sixteen numbers as multiples of their block's own, which is stored as float16; the products as decoded."""
        store(scratch + SPARE, values)
        low, high = largest_of_positive(scratch + SPARE, 0, 8), largest_of_positive(scratch + SPARE, 8, 16)
        if group == 16:
            low = high = max(low, high)  # neither is -0
        store_float16(one, low / scale_top)
        store_float16(other, high / scale_top)
        store_float(scratch + SPARE, low)
        store_float(scratch + SPARE + 4, high)
        inverse = finite_inverse(floats_of(scale_top), load_float_pair(scratch + SPARE))
        whole = nearest(multiply(inverse, values), ZERO, scale_top)
        store_float(scratch + SPARE, load_float16(one))
        store_float(scratch + SPARE + 4, load_float16(other))
        return whole, multiply(load_float_pair(scratch + SPARE), whole)

    def encode_groups(one: int, other: int, scratch: int) -> None:
        count(scratch)
        scale, low, inverse, base = search(scratch)
        scales, step = multiples(scale, one + d, other + d, scratch)
        minima, minimum = multiples(multiply(low, floats_of(MINUS_ONE)), one + dmin, other + dmin, scratch)
        store_low_bytes(scratch + SCALES, ints_from_floats(scales))
        store_low_bytes(scratch + MINIMA, ints_from_floats(minima))
        for at in range(0, VECTOR * group, VECTOR):
            x = load_floats(scratch + X + at)
            found = nearest(multiply(inverse, subtract(x, base)), ZERO, top)
            best = nearest(divide(add(x, minimum), step), ZERO, top)
            store(scratch + TRIED + at, where_equal(step, floats_of(ZERO), found, best))
        order_codes(group, scratch)
        store_scales(one, scratch + SCALES, scratch + MINIMA)
        store_codes(one, scratch + STAGED)
        if group != 16:
            store_scales(other, scratch + SCALES + 8, scratch + MINIMA + 8)
            store_codes(other, scratch + STAGED + 4 * WIDTH)

    return encode_groups
