"""The arrays that store a matrix: each part says what its entries belong to, and the core cuts, pads and packs it.

A format declares its parts with the functions below. `packed` holds the codes of the weights; the core packs and
unpacks them, so that a format sees one code a weight.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, Literal

import attrs

from fourcc.dtypes import DType, itemsize, spelled
from fourcc.geometry import Geometry

if TYPE_CHECKING:
    from fourcc.arrays import Array

Reach = Literal["block", "weight", "row", "column", "matrix", "ragged", "free"]
Block = tuple[int | None, int | str | None]  # rows and columns; None: all; a text: the value of the parameter

FULL_ROW = 4096  # columns over which the nominal bits per weight spread what a part stores for a row
MOST_DIGITS = 256  # numbers that a byte holds


@attrs.frozen
class Packing:
    """How the codes of weights share bytes. Each row begins with a new byte; unused bits are 0.

    Attributes:
        bits: of a code, 1 to 8: code k of a row begins at bit ``k * bits``, the lowest bit of a byte first; 0: digits.
        base: of digits: a byte is the sum of ``digit * base**k``, and its first code the lowest digit.
        digits: codes in a byte.
        run: bytes whose lowest fields hold neighbouring codes, as in ggml's blocks; the next fields hold the next ones.
        high_first: whether the first code of a byte is in its highest bits.
    """

    bits: int = 0
    base: int = 0
    digits: int = 0
    run: int = 1
    high_first: bool = False

    @property
    def top(self) -> int:
        """The largest code."""
        return (1 << self.bits if self.bits else self.base) - 1

    @property
    def bits_per_code(self) -> Fraction:
        """Bits that a code takes."""
        return Fraction(self.bits) if self.bits else Fraction(8, self.digits)

    def nbytes(self, codes: int) -> int:
        """Bytes of a row of codes; a run that has begun is stored whole."""
        if not self.bits:
            return -(-codes // self.digits)
        return -(-codes * self.bits // (8 * self.run)) * self.run

    def check(self) -> None:
        """Raise ValueError where a byte cannot hold such codes."""
        if self.bits and not (1 <= self.bits <= 8 and not (self.base or self.digits)):
            raise ValueError(f"codes of {self.bits} bits: 1 to 8, or base and digits")
        if not (self.bits or self.base or self.digits):
            raise ValueError("a packed part needs bits, or base and digits")
        if not self.bits and not (self.base >= 2 and self.digits >= 1 and self.base**self.digits <= MOST_DIGITS):
            raise ValueError(f"{self.digits} digits of base {self.base} do not fit a byte")
        whole = self.bits in {1, 2, 4}
        if (self.run != 1 or self.high_first) and not whole:
            raise ValueError("only codes of 1, 2 or 4 bits have runs, or begin in the highest bits")
        if self.run != 1 and self.high_first:
            raise ValueError("codes in runs begin in the lowest bits")


@attrs.frozen
class Part:
    """One array of a format's storage. The functions of this module declare the usual ones.

    Attributes:
        name: unique in the format, for example ``scales``.
        dtype: of one entry; of a record, its fields.
        tail: of a ``free`` part: geometry -> the dimensions after the first.
        rows: matrix rows that one entry along axis 0 covers; None: the part belongs to the whole matrix. For a part
            that is not ``free`` this follows from what it belongs to.
        reach: what an entry belongs to.
        dims: the shape of what belongs to one of them.
        packing: of codes that share bytes.
        fields: of a record: what its fields are, in order.
        block: of the format, which sets it.
    """

    name: str
    dtype: DType = attrs.field(converter=spelled)
    tail: Callable[[Geometry], tuple[int, ...]] | None = None
    rows: int | None = 1
    reach: Reach = "free"
    dims: tuple[int, ...] = ()
    packing: Packing | None = None
    fields: tuple[Part, ...] = ()
    block: tuple[int | None, int | str | None, int | None] = (1, None, None)

    @property
    def variable(self) -> bool:
        """Whether only encoding determines the length."""
        return self.reach == "ragged"

    def of_block(self, block: Block, default: int | None) -> Part:
        """The part in a format with this block; `default` is the width where a parameter names it."""
        rows = {"block": block[0], "weight": 1, "row": 1, "free": self.rows}.get(self.reach)
        dtype = self.dtype if not self.fields else tuple(_stored_field(each, block[1]) for each in self.fields)
        return attrs.evolve(self, dtype=dtype, rows=rows, block=(*block, default))

    def shape(self, geom: Geometry) -> tuple[int, ...]:
        """The part's shape for one matrix; a part of variable length counts as empty."""
        if self.reach == "free":
            tail = () if self.tail is None else self.tail(geom)
            return tail if self.rows is None else (-(-geom.rows // self.rows), *tail)
        return {"block": self._blocks, "weight": self._codes, "row": _rows, "column": _cols}.get(self.reach, _nothing)(
            geom
        ) + ((0,) if self.variable else self.dims)

    def _blocks(self, geom: Geometry) -> tuple[int, ...]:
        rows, width, default = self.block
        cols = geom.params.get(width, default) if isinstance(width, str) else width
        return tuple(-(-size // step) for size, step in ((geom.rows, rows), (geom.cols, cols)) if step is not None)

    def _codes(self, geom: Geometry) -> tuple[int, ...]:
        return geom.rows, geom.cols if self.packing is None else self.packing.nbytes(geom.cols)

    def cut(self, array: Array, first: int, last: int) -> Array:
        """The part's array for the rows first .. last of one matrix; `first` is a multiple of the block's rows."""
        if self.rows is None or self.variable:
            return array
        return array[first // self.rows : -(-last // self.rows)]

    def nbytes(self, geom: Geometry) -> int:
        """Bytes of the part for one matrix; 0 where the length is variable."""
        return prod(self.shape(geom)) * itemsize(self.dtype)

    def check(self) -> None:
        """Raise ValueError where the declaration contradicts itself."""
        block_rows = self.block[0]
        if self.rows is not None and (self.rows < 1 or (block_rows is not None and block_rows % self.rows)):
            raise ValueError(f"part {self.name!r}: {self.rows} rows an entry do not divide the block's {block_rows}")
        if self.reach == "free" and self.tail is None:
            raise ValueError(f"part {self.name!r}: declare it with per_block, packed, ... or give `tail`")
        itemsize(self.dtype)
        for each in (self, *self.fields):
            if each.packing is not None:
                each.packing.check()

    def bits_per_weight(self, width: int | None) -> Fraction:
        """Bits per weight of a large matrix; what belongs to a row counts as if it had `FULL_ROW` columns.

        Args:
            width: columns of a block; None: all.
        """
        entry = 8 * itemsize(self.dtype) * prod(self.dims)
        if self.reach == "weight":
            return Fraction(entry) if self.packing is None else self.packing.bits_per_code
        if self.reach == "block":
            rows, cols = self.block[0], width or FULL_ROW
            return Fraction(0) if rows is None else Fraction(entry, rows * cols)
        return Fraction(entry, FULL_ROW) if self.reach == "row" else Fraction(0)


def _rows(geom: Geometry) -> tuple[int, ...]:
    return (geom.rows,)


def _cols(geom: Geometry) -> tuple[int, ...]:
    return (geom.cols,)


def _nothing(_: Geometry) -> tuple[int, ...]:
    return ()


def _stored_field(part: Part, width: int | str | None) -> tuple[str, str, tuple[int, ...]]:
    """A field of a record, as numpy's structured dtypes have it."""
    if not isinstance(part.dtype, str) or part.reach not in {"block", "weight"} or not isinstance(width, int):
        raise ValueError(f"field {part.name!r}: a record has fields of one block, whose width is a number")
    if part.reach == "block":
        return part.name, part.dtype, part.dims
    return part.name, part.dtype, (width if part.packing is None else part.packing.nbytes(width),)


def per_block(name: str, dtype: str, *dims: int) -> Part:
    """A part with an entry for each block, or an array of shape `dims` for each: (rows, blocks of a row, *dims)."""
    return Part(name, dtype, reach="block", dims=dims)


def per_weight(name: str, dtype: str) -> Part:
    """A part with an entry for each weight: (rows, cols)."""
    return Part(name, dtype, reach="weight")


def per_row(name: str, dtype: str, *dims: int) -> Part:
    """A part with an entry, or an array, for each row of the matrix: (rows, *dims)."""
    return Part(name, dtype, reach="row", dims=dims)


def per_column(name: str, dtype: str, *dims: int) -> Part:
    """A part with an entry, or an array, for each column, which all rows share: (cols, *dims)."""
    return Part(name, dtype, reach="column", dims=dims, rows=None)


def per_matrix(name: str, dtype: str, *dims: int) -> Part:
    """A part of the whole matrix, such as a codebook, of shape `dims`."""
    return Part(name, dtype, reach="matrix", dims=dims, rows=None)


def ragged(name: str, dtype: str) -> Part:
    """A part of the whole matrix whose length only encoding determines: (length,)."""
    return Part(name, dtype, reach="ragged", rows=None)


def packed(name: str, *, bits: int = 0, base: int = 0, digits: int = 0, run: int = 1, high_first: bool = False) -> Part:
    """Unsigned codes, one a weight, that share bytes: uint8 (rows, bytes of a row).

    Encoders return them unpacked, and decoders see them so. Either `bits`, or `base` and `digits`.

    Args:
        name: of the part.
        bits: of a code, 1 to 8; the first code is in the lowest bits of a byte.
        base: of digits; codes are 0 .. base - 1.
        digits: in a byte; the first code is the lowest digit.
        run: bytes whose lowest fields hold neighbouring codes, as in ggml's blocks (a block of 32 codes of 4 bits with
            runs of 16 bytes has the codes j and j + 16 in byte j).
        high_first: whether the first code is in the highest bits.
    """
    packing = Packing(bits, base, digits, run, high_first)
    return Part(name, "|u1", reach="weight", packing=packing)


def record(name: str, *fields: Part) -> Part:
    """Fields of a block that lie side by side, as ggml stores blocks; encoders and decoders see them one by one.

    Args:
        name: of the part.
        fields: made with `per_block`, `per_weight` or `packed`.
    """
    return Part(name, (), reach="block", fields=fields)
