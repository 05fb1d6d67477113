"""How the codes of a part are packed into bytes: by bits, from either end of a byte or in runs, or as digits of a byte.

::

    bits=3                     code k is at bits 3k .. 3k + 2 of all bytes, read as one little-endian number
    bits=4, high_first=True    byte j: high nibble code 2j, low nibble code 2j + 1
    bits=4, run=16             byte j of a run: low nibble code j, high nibble code j + 16; the next run: codes 32 ...
    base=3, digits=5           byte j is c0 + 3 c1 + 9 c2 + 27 c3 + 81 c4, of the codes 5j .. 5j + 4
"""

from __future__ import annotations

from dataclasses import dataclass

BYTE = 8  # bits


@dataclass(frozen=True)
class PackedCodes:
    """A way to pack unsigned codes into bytes.

    Attributes:
        bits: of a code, 1 .. 8; where codes are digits, nobody looks at it.
        base: of the digits; 2 where codes are packed by bits.
        digits: codes of a byte, the first is the lowest digit; 0 where codes are packed by bits.
        run: bytes whose lowest bits hold neighbouring codes, likewise the next bits; 0: a byte's codes are neighbours.
        high_first: whether the first code of a byte is in its highest bits.

    Raises:
        ValueError: there is no such layout.
    """

    bits: int = BYTE
    base: int = 2
    digits: int = 0
    run: int = 0
    high_first: bool = False

    def __post_init__(self) -> None:
        if self.digits:
            if self.digits < 0 or self.base < 2 or self.base**self.digits > 1 << BYTE:
                raise ValueError(f"{self.digits} digits of base {self.base} do not fit into a byte")
            if self.run or self.high_first:
                raise ValueError("digits are packed byte by byte, the lowest digit first")
            return
        if self.base != 2:
            raise ValueError(f"base {self.base} needs a number of digits")
        if not 1 <= self.bits <= BYTE:
            raise ValueError(f"codes of {self.bits} bits, where 1 .. {BYTE} may be")
        if self.run < 0 or (self.run and self.high_first):
            raise ValueError("a run has at least one byte, and its first codes in the lowest bits")
        if (self.run or self.high_first) and BYTE % self.bits:
            raise ValueError(f"codes of {self.bits} bits straddle bytes, so they have neither runs nor another order")

    @property
    def largest(self) -> int:
        """The largest code."""
        return (self.base if self.digits else 1 << self.bits) - 1

    def nbytes(self, codes: int) -> int:
        """Bytes of so many codes; a byte that has begun, or a run, is counted as a whole one."""
        if self.digits:
            return -(-codes // self.digits)
        unit = BYTE * max(self.run, 1)
        return -(-codes * self.bits // unit) * unit // BYTE

    def is_whole(self, codes: int) -> bool:
        """Whether so many codes fill whole bytes, and whole runs."""
        if self.digits:
            return codes % self.digits == 0
        return codes * self.bits % (BYTE * max(self.run, 1)) == 0

    def first_bit(self, code: int) -> int:
        """The number of a code's lowest bit, counted from the lowest bit of the first byte; not for digits."""
        at = code * self.bits
        if self.run:
            run, inside = divmod(code, self.run * BYTE // self.bits)
            return BYTE * (run * self.run + inside % self.run) + self.bits * (inside // self.run)
        if self.high_first:
            return at - at % BYTE + BYTE - self.bits - at % BYTE
        return at
