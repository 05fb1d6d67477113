"""Tiles of doubles: eight vectors in registers, for sums of products whose every step is rounded by itself."""

from __future__ import annotations

import numpy as np

from fourcc.kernels.simd.builder import ELEMENTS, Builder, Value, addresses, llvm_type
from fourcc.kernels.simd.interpreted import Lanes, read
from fourcc.kernels.simd.operation import ADDRESS, DOUBLES, INTEGER, OperandKind, operation
from fourcc.kernels.simd.tiles import as_first

EIGHT_COLUMNS = OperandKind("f64", 8, 8)


@operation(ADDRESS, INTEGER, returns=EIGHT_COLUMNS)
def load_double_columns(address: int, stride: int) -> Lanes:
    """Eight columns of 8 doubles, `stride` bytes apart."""
    return np.stack([read(address + stride * column, "<f8", 8) for column in range(8)])


@load_double_columns.lowered
def _(b: Builder, address: Value, stride: Value) -> Value:
    return b.tile([b.load_from(place, llvm_type(DOUBLES)) for place in addresses(b, address, stride, 8)])


@operation(returns=as_first)
def less_products(totals: Lanes, x: Lanes, y: int, stride: int) -> Lanes:
    """totals - x * y in every column, where y is the column's double; product and difference are rounded.

    Args:
        totals: tile of doubles.
        x: doubles.
        y: address of the first column's double.
        stride: bytes from one column to the next.
    """
    numbers = [read(y + column * stride, "<f8", 1) for column in range(len(totals))]
    return np.stack([total - x * number for total, number in zip(totals, numbers, strict=True)])


@less_products.lowered
def _(b: Builder, totals: Value, x: Value, y: Value, stride: Value) -> Value:
    columns = []
    for total, place in zip(b.columns(totals), addresses(b, y, stride, totals.type.count), strict=True):
        number = b.splat(b.load_from(place, ELEMENTS["f64"]), 8)
        columns.append(b.fsub(total, b.fmul(x, number)))
    return b.tile(columns)
