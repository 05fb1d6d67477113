"""Codes of eight and of four bits."""

from __future__ import annotations

import numpy as np

from fourcc.kernels.simd.builder import Builder, Value, llvm_type, vector
from fourcc.kernels.simd.interpreted import Lanes, read, write
from fourcc.kernels.simd.operation import ADDRESS, BYTES, FLOATS, SHORTS, operation


@operation(ADDRESS, FLOATS)
def store_as_bytes(address: int, value: Lanes) -> None:
    """Stores 16 floats, whole numbers from -128 to 127, as signed bytes."""
    with np.errstate(invalid="ignore"):
        write(address, value.astype(np.int32).astype(np.int8))


@store_as_bytes.lowered
def _(b: Builder, address: Value, value: Value) -> None:
    b.store_to(address, b.trunc(b.fptosi(value, vector("i32", 16)), vector("i8", 16)))


@operation(ADDRESS, returns=FLOATS)
def load_as_floats(address: int) -> Lanes:
    """16 signed bytes as floats."""
    return read(address, "|i1", 16).astype(np.float32)


@load_as_floats.lowered
def _(b: Builder, address: Value) -> Value:
    return b.sitofp(b.sext(b.load_from(address, vector("i8", 16)), vector("i32", 16)), llvm_type(FLOATS))


@operation(BYTES, returns=BYTES)
def low_nibbles(x: Lanes) -> Lanes:
    """The low four bits of every byte."""
    return x & np.int8(15)


@low_nibbles.lowered
def _(b: Builder, x: Value) -> Value:
    return b.and_(x, b.constant(x.type, 15))


@operation(BYTES, returns=BYTES)
def high_nibbles(x: Lanes) -> Lanes:
    """The high four bits of every byte."""
    return (x.view(np.uint8) >> np.uint8(4)).view(np.int8)


@high_nibbles.lowered
def _(b: Builder, x: Value) -> Value:
    words = llvm_type(SHORTS)
    shifted = b.lshr(b.bitcast(x, words), b.constant(words, 4))
    return b.and_(b.bitcast(shifted, x.type), b.constant(x.type, 15))
