"""Lowers the instructions that read parts: words of sixteen interleaved rows, and in them entries, codes and digits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from fourcc.kernels.simd.builder import ELEMENTS, Builder, Value, everywhere, llvm_type, vector
from fourcc.kernels.simd.load_wide import widened_float16
from fourcc.kernels.simd.operation import FLOATS, INTS

if TYPE_CHECKING:
    import numpy as np

WORDS = llvm_type(INTS)
HALVES = vector("i16", 32)  # a vector of words, as pairs of 16 bits
BYTES_0_AND_2 = 0x00FF00FF


class PartReader:
    """Builds what reads a block's parts, each word once.

    Args:
        b: the builder to append to.
        strides: bytes from one block to the next in each part; 0 for a part of the row, which all blocks share.
        pointers: address of the parts' addresses.
        block: number of the block.
    """

    def __init__(self, b: Builder, strides: Sequence[int], pointers: Value, block: Value) -> None:
        self._b, self._strides, self._pointers, self._block = b, strides, pointers, block
        self._bases: dict[int, Value] = {}
        self._starts: dict[int, tuple[Value, Value | None]] = {}
        self._words: dict[tuple[int, int], Value] = {}
        self._pairs: dict[tuple[int, int, int], Value] = {}
        self._digits: dict[tuple[int, int, int, int, int], Value] = {}

    def base(self, part: int) -> Value:
        """Address of a part; behind the parts' numbers follow those of their widened tables."""
        if part not in self._bases:
            self._bases[part] = self._b.load_from(self._b.plus(self._pointers, 8 * part), ELEMENTS["i64"])
        return self._bases[part]

    def table(self, part: int) -> Value:
        """Address of a part's widened table."""
        return self.base(len(self._strides) + part)

    def entry(self, part: int, dtype: np.dtype[Any], offset: int) -> Value:
        """An entry of a block: one or two words, shifted to the entry's bits and widened."""
        b, size = self._b, 8 * dtype.itemsize
        if dtype.kind == "u":
            return self.code(part, 8 * offset, size)
        raw = self.from_bit(part, 8 * offset, size)
        if dtype.itemsize == 4:
            return b.bitcast(raw, llvm_type(FLOATS)) if dtype.kind == "f" else raw
        if dtype.kind == "f":
            return widened_float16(b, b.trunc(raw, vector("i16", 16)))
        up = b.constant(WORDS, 32 - size)
        return b.ashr(b.shl(raw, up), up)

    def code(self, part: int, bit: int, size: int) -> Value:
        """The unsigned number in `size` bits from `bit` on."""
        raw = self.from_bit(part, bit, size)
        if bit % 32 + size == 32:  # the shift leaves nothing above
            return raw
        return self._b.and_(raw, self._b.constant(WORDS, (1 << size) - 1))

    def from_bit(self, part: int, bit: int, size: int) -> Value:
        """A vector with `size` bits, from `bit` on, as its low bits; the bits above them are undefined."""
        b, shift = self._b, bit % 32
        low, high = bit // 32, (bit + size - 1) // 32
        if low == high:
            return b.lshr(self._word(part, low), b.constant(WORDS, shift)) if shift else self._word(part, low)
        return b.elementwise("fshr", self._word(part, high), self._word(part, low), b.constant(WORDS, shift))

    def digit(self, part: int, offset: int, divisor: int, base: int, *, alone: bool) -> Value:
        """``byte // divisor % base``; unless it must stand `alone`, bits above the lowest 16 are undefined.

        The fraction of byte / (divisor * base), in 16 bits, times the base: its whole part is the digit. The factor is
        2^16 / (divisor * base), rounded up; as the byte and divisor * base are at most 256, the error reaches no digit.
        Two bytes of a word are computed at once.
        """
        b, word, place = self._b, offset // 4, offset % 4
        key = part, word, place % 2, divisor, base
        if key not in self._digits:
            fractions = b.mul(self._pair(part, word, place % 2), b.constant(HALVES, -(-(1 << 16) // (divisor * base))))
            wide = vector("i32", 32)
            product = b.mul(b.zext(fractions, wide), b.constant(wide, base))
            self._digits[key] = b.bitcast(b.trunc(b.lshr(product, b.constant(wide, 16)), HALVES), WORDS)
        both = self._digits[key]
        if place >= 2:
            return b.lshr(both, b.constant(WORDS, 16))
        return b.and_(both, b.constant(WORDS, 0xFFFF)) if alone else both

    def _pair(self, part: int, word: int, odd: int) -> Value:
        """Bytes 0 and 2, or 1 and 3, of a word as numbers of 16 bits."""
        b, key = self._b, (part, word, odd)
        if key not in self._pairs:
            shifted = b.lshr(self._word(part, word), b.constant(WORDS, 8)) if odd else self._word(part, word)
            self._pairs[key] = b.bitcast(b.and_(shifted, b.constant(WORDS, BYTES_0_AND_2)), HALVES)
        return self._pairs[key]

    def _word(self, part: int, number: int) -> Value:
        """Four bytes of a block; where not every block begins at a word, they come from two words."""
        b = self._b
        if (part, number) not in self._words:
            place, before = self._block_start(part)
            word = b.load_from(b.plus(place, 64 * number), WORDS)
            if before is not None:
                word = b.elementwise("fshr", b.load_from(b.plus(place, 64 * (number + 1)), WORDS), word, before)
            self._words[part, number] = word
        return self._words[part, number]

    def _block_start(self, part: int) -> tuple[Value, Value | None]:
        """Address of the word in which a block begins, and how many bits of it precede the block (None: always 0)."""
        b, stride = self._b, self._strides[part]
        if part not in self._starts:
            at = b.mul(self._block, b.constant(ELEMENTS["i64"], stride))
            if stride % 4 == 0:
                self._starts[part] = b.add(self.base(part), b.shl(at, b.constant(at.type, 4))), None
            else:
                word, three = b.lshr(at, b.constant(at.type, 2)), b.constant(at.type, 3)
                bits = b.trunc(b.shl(b.and_(at, three), three), ELEMENTS["i32"])
                place = b.add(self.base(part), b.shl(word, b.constant(at.type, 6)))
                self._starts[part] = place, b.splat(bits, 16)
        return self._starts[part]

    def shared(self, part: int, dtype: np.dtype[Any], offset: int) -> Value:
        """An entry of a part that belongs to the whole matrix, copied to all lanes."""
        b, address = self._b, self._b.plus(self.base(part), offset)
        if dtype.kind == "f" and dtype.itemsize == 4:
            return everywhere(b, address)
        if dtype.kind == "f":
            return widened_float16(b, b.splat(b.load_from(address, ELEMENTS["i16"]), 16))
        one = b.load_from(address, ELEMENTS[f"i{8 * dtype.itemsize}"])
        wide = b.zext if dtype.kind == "u" else b.sext
        return b.splat(one if dtype.itemsize == 4 else wide(one, ELEMENTS["i32"]), 16)
