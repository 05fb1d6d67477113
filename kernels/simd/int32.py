"""The 32-bit words of ggml's blocks: two float16, or four codes."""

from __future__ import annotations

import numpy as np

from fourcc.kernels.simd.builder import Builder, Value, llvm_type, vector
from fourcc.kernels.simd.dot import BIAS
from fourcc.kernels.simd.interpreted import Lanes, widened
from fourcc.kernels.simd.load_wide import widened_float16
from fourcc.kernels.simd.operation import BYTES, FLOATS, INTS, Operation, operation


@operation(INTS, returns=FLOATS)
def low_float16s(words: Lanes) -> Lanes:
    """The float16 in the low halves of the words, as float32."""
    return widened(words.view("<f2")[::2])


@low_float16s.lowered
def _(b: Builder, words: Value) -> Value:
    return widened_float16(b, b.trunc(words, vector("i16", 16)))


@operation(INTS, returns=FLOATS)
def high_float16s(words: Lanes) -> Lanes:
    """The float16 in the high halves of the words, as float32."""
    return widened(words.view("<f2")[1::2])


@high_float16s.lowered
def _(b: Builder, words: Value) -> Value:
    return widened_float16(b, b.trunc(b.lshr(words, b.constant(words.type, 16)), vector("i16", 16)))


@operation(INTS, returns=BYTES)
def bytes_of_ints(words: Lanes) -> Lanes:
    """The bits of 16 words as 64 bytes."""
    return words.view(np.int8)


@bytes_of_ints.lowered
def _(b: Builder, words: Value) -> Value:
    return b.bitcast(words, llvm_type(BYTES))


def byte_table(values: tuple[int, ...]) -> Operation:
    """The operation that looks up bytes, 0 .. 15, in a table of signed bytes, biased as by `simd.dot.biased`."""
    stored = (np.array(values, np.int8).view(np.uint8) + np.uint8(BIAS)).tolist()

    @operation(INTS, returns=INTS)
    def looked_up(index: Lanes) -> Lanes:
        return np.array(stored, np.uint8)[index.view(np.uint8)].view(np.int32)

    @looked_up.lowered
    def _(b: Builder, index: Value) -> Value:
        return b.bitcast(_look_up_bytes(b, b.bitcast(index, llvm_type(BYTES)), stored), index.type)

    looked_up.meaning.__qualname__ = f"looked_up_{'_'.join(map(str, values))}"
    return looked_up


def _look_up_bytes(b: Builder, index: Value, table: list[int]) -> Value:
    """Looks up bytes in a table of sixteen, one register; a target without such an instruction compares every index."""
    if b.target.name == "avx512":
        return b.call("llvm.x86.avx512.pshuf.b.512", index.type, b.constant(index.type, 4 * table), index)
    if b.target.name in {"avxvnni", "avx2"}:
        half = b.constant(vector("i8", 32), 2 * table)
        return b.join([b.call("llvm.x86.avx2.pshuf.b", half.type, half, each) for each in b.split(index, 2)])
    if b.target.name == "neon":
        quarter = b.constant(vector("i8", 16), table)
        lookup = "llvm.aarch64.neon.tbl1.v16i8"
        return b.join([b.call(lookup, quarter.type, quarter, each) for each in b.split(index, 4)])
    entries = b.constant(index.type, table[0])
    for number, value in enumerate(table[1:], 1):
        same = b.icmp_unsigned("==", index, b.constant(index.type, number))
        entries = b.select(same, b.constant(index.type, value), entries)
    return entries
