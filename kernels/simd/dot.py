"""Dot products of bytes, for which every processor has other instructions, and look-ups in tables of sixteen."""

from __future__ import annotations

import numpy as np

from fourcc.kernels.simd.arithmetic import multiply_add
from fourcc.kernels.simd.builder import ELEMENTS, Builder, Value, llvm_type, vector
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.operation import BYTES, FLOATS, INTEGER, INTS, operation
from fourcc.kernels.simd.target import target

BIAS = target().bias  # `biased` adds it
BIASED = 128  # flipping this bit of a signed byte adds 128


@operation(BYTES, returns=BYTES)
def biased(x: Lanes) -> Lanes:
    """Signed bytes as `dot` takes them: plus BIAS where the processor multiplies unsigned bytes by signed ones."""
    flipped: Lanes = x.view(np.uint8) ^ np.uint8(BIAS)
    signed: Lanes = flipped.view(np.int8)
    return signed


@biased.lowered
def _(b: Builder, x: Value) -> Value:
    return b.xor(x, b.constant(x.type, BIASED)) if b.target.bias else x


@operation(INTS, BYTES, BYTES, returns=INTS)
def dot(total: Lanes, weights: Lanes, x: Lanes) -> Lanes:
    """Adds to each of 16 totals the dot product of four bytes.

    Args:
        total: int32.
        weights: bytes from `biased`, or codes from 0 to 127.
        x: signed bytes, -127 .. 127.
    """
    unsigned = weights.view(np.uint8) if BIAS else weights
    products = unsigned.astype(np.int32) * x.astype(np.int32)
    added: Lanes = total + products.reshape(16, 4).sum(axis=1, dtype=np.int32)
    return added


@dot.lowered
def _(b: Builder, total: Value, weights: Value, x: Value) -> Value:
    return dot_bytes(b, total, weights, x)


def dot_bytes(b: Builder, total: Value, weights: Value, x: Value) -> Value:
    """`dot`, in the instructions of the target."""
    if b.target.name == "avx512":
        return b.call("llvm.x86.avx512.vpdpbusd.512", total.type, total, weights, x)
    parts = {"avxvnni": 2, "avx2": 2, "neon": 4}.get(b.target.name)
    if parts is None:
        return _dot_portable(b, total, weights, x)
    one = {"avxvnni": _dot_avxvnni, "avx2": _dot_avx2, "neon": _dot_neon}[b.target.name]
    pieces = zip(*(b.split(value, parts) for value in (total, weights, x)), strict=True)
    return b.join([one(b, *piece) for piece in pieces])


def _dot_avxvnni(b: Builder, total: Value, weights: Value, x: Value) -> Value:
    return b.call("llvm.x86.avx512.vpdpbusd.256", total.type, total, weights, x)


def _dot_neon(b: Builder, total: Value, weights: Value, x: Value) -> Value:
    return b.call("llvm.aarch64.neon.sdot.v4i32.v16i8", total.type, total, weights, x)


def _dot_avx2(b: Builder, total: Value, weights: Value, x: Value) -> Value:
    """The dot product with the sign moved from the weights to x: the 16 bits of a first sum hold 2 * 128 * 127."""
    magnitude = b.call("llvm.abs.v32i8", weights.type, weights, b.constant(ELEMENTS["i1"], 0))
    signed = b.call("llvm.x86.avx2.psign.b", x.type, x, weights)
    pairs = b.call("llvm.x86.avx2.pmadd.ub.sw", vector("i16", 16), magnitude, signed)
    ones = b.constant(vector("i16", 16), 1)
    return b.add(total, b.call("llvm.x86.avx2.pmadd.wd", total.type, pairs, ones))


def _dot_portable(b: Builder, total: Value, weights: Value, x: Value) -> Value:
    """The dot product of bytes widened to 16 bits, which hold the products; 32 bits hold the sums of neighbours."""
    wide = vector("i16", 64)
    products = b.mul(b.sext(weights, wide), b.sext(x, wide))
    whole = b.sext(products, vector("i32", 64))
    for position in range(4):
        total = b.add(total, b.pick(whole, range(position, 64, 4)))
    return total


@operation(FLOATS, BYTES, BYTES, FLOATS, returns=FLOATS)
def scaled_dot(total: Lanes, weights: Lanes, x: Lanes, scales: Lanes) -> Lanes:
    """Adds to each of 16 totals the dot product of four signed bytes, times a scale.

    Args:
        total: float32.
        weights: signed bytes, not biased.
        x: signed bytes, -127 .. 127.
        scales: float32.
    """
    products = dot(np.zeros(16, np.int32), biased(weights), x)
    added: Lanes = multiply_add(products.astype(np.float32), scales, total)
    return added


@scaled_dot.lowered
def _(b: Builder, total: Value, weights: Value, x: Value, scales: Value) -> Value:
    codes = b.xor(weights, b.constant(weights.type, BIASED)) if b.target.bias else weights
    products = dot_bytes(b, b.constant(llvm_type(INTS), 0), codes, x)
    return b.multiply_add(b.sitofp(products, llvm_type(FLOATS)), scales, total)


@operation(FLOATS, INTS, returns=FLOATS)
def lookup(table: Lanes, index: Lanes) -> Lanes:
    """The entries of a table of sixteen floats that the low four bits of the indices select."""
    chosen: Lanes = table[index & 15]
    return chosen


@lookup.lowered
def _(b: Builder, table: Value, index: Value) -> Value:
    return lookup_floats(b, table, index)


def lookup_floats(b: Builder, table: Value, index: Value) -> Value:
    """`lookup`, in the instructions of the target."""
    if b.target.name == "avx512":
        return b.call("llvm.x86.avx512.permvar.sf.512", table.type, table, index)
    if b.target.name in {"avxvnni", "avx2"}:
        low, high = b.split(table, 2)
        return b.join([_lookup_avx2(b, low, high, half) for half in b.split(index, 2)])
    with b.goto_entry_block():
        slot = b.alloca(table.type)
    b.store(table, slot)
    first = b.ptrtoint(slot, ELEMENTS["i64"])
    chosen = b.and_(index, b.constant(index.type, 15))
    entries = b.constant(llvm_type(FLOATS), 0.0)
    for lane in range(16):
        offset = b.shl(
            b.zext(b.extract_element(chosen, b.int32(lane)), ELEMENTS["i64"]), b.constant(ELEMENTS["i64"], 2)
        )
        entries = b.insert_element(entries, b.load_from(b.add(first, offset), ELEMENTS["f32"]), b.int32(lane))
    return entries


def _lookup_avx2(b: Builder, low: Value, high: Value, index: Value) -> Value:
    """A look-up in two tables of eight; bit 3 of the index selects the table."""
    halves = [b.call("llvm.x86.avx2.permps", half.type, half, index) for half in (low, high)]
    upper = b.icmp_unsigned("!=", b.and_(index, b.constant(index.type, 8)), b.constant(index.type, 0))
    return b.select(upper, halves[1], halves[0])


@operation(FLOATS, INTEGER, returns=FLOATS)
def float_pair(values: Lanes, pair: int) -> Lanes:
    """Lane 2 * `pair` of a vector in lanes 0 .. 7, and the lane after it in lanes 8 .. 15."""
    return np.repeat(values[2 * pair : 2 * pair + 2], 8)


@float_pair.lowered
def _(b: Builder, values: Value, pair: Value) -> Value:
    first = b.shl(pair, b.constant(pair.type, 1))
    if b.target.name == "avx512":
        halves = b.constant(llvm_type(INTS), [0] * 8 + [1] * 8)
        return lookup_floats(b, values, b.add(b.splat(b.trunc(first, ELEMENTS["i32"]), 16), halves))
    with b.goto_entry_block():
        slot = b.alloca(values.type)
    b.store(values, slot)
    address = b.add(b.ptrtoint(slot, ELEMENTS["i64"]), b.shl(first, b.constant(pair.type, 2)))
    return b.pick(b.load_from(address, vector("f32", 2)), [0] * 8 + [1] * 8)
