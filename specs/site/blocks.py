"""A format's stored block as pieces with their bits, from its declaration alone."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import prod
from typing import Literal

import attrs

from fourcc.dtypes import itemsize, numpy_dtype
from fourcc.format import Format
from fourcc.part import Part

Owner = Literal["weight", "block", "row", "column", "matrix"]

CODES = frozenset({"q", "codes", "high", "signs", "words", "values"})  # the names of our formats for what weights have
UNBOUNDED = 32  # weights that are drawn of a block without a size


@attrs.frozen
class Piece:
    """Neighbouring bytes with one meaning.

    Attributes:
        name: of the part, or of a record's field.
        owner: what it belongs to: a row, a column or the matrix where blocks share it.
        numbers: what it consists of, for people.
        bits: of one block; of one row, column or matrix where blocks share it.
        share: bits per weight that count.
        codes: whether it tells one weight from another, as codes do and scales do not.
    """

    name: str
    owner: Owner
    numbers: str
    bits: Fraction
    share: Fraction
    codes: bool

    @property
    def shared(self) -> bool:
        """Whether blocks share it."""
        return self.owner in {"row", "column", "matrix"}


@attrs.frozen
class Block:
    """One block of a format.

    Attributes:
        rows, cols: of its weights; None: all of the matrix.
        weights: how many are drawn.
        strips: pieces that lie side by side, an array or a record each.
    """

    rows: int | None
    cols: int | None
    weights: int
    strips: tuple[tuple[Piece, ...], ...]

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """All pieces, in order."""
        return tuple(piece for strip in self.strips for piece in strip)

    @property
    def nbytes(self) -> Fraction:
        """Bytes of the block alone."""
        return sum((piece.bits for piece in self.pieces if not piece.shared), Fraction(0)) / 8

    @property
    def bits_per_weight(self) -> Fraction:
        """The sum of all pieces."""
        return sum((piece.share for piece in self.pieces), Fraction(0))


def block_of(fmt: Format) -> Block:
    """The block of a format with the default parameters."""
    rows, cols = fmt.block[0], fmt.width()
    group = fmt.with_defaults().get("group")
    weights = rows * cols if rows and cols else group if isinstance(group, int) else UNBOUNDED
    declared = [part for part in fmt.parts if not _grows(part)]
    strips = {part.name: tuple(_pieces(part, weights, cols)) for part in declared}
    rest = fmt.bits_per_weight() - sum((each.share for strip in strips.values() for each in strip), Fraction(0))
    for part in fmt.parts:
        if part.name not in strips:  # the first one stands for all whose length only encoding tells
            strips[part.name] = (
                Piece(part.name, "block", _named(part), rest * weights, rest, codes=part.name in CODES),
            )
            rest = Fraction(0)
    return Block(rows, cols, weights, tuple(strips[part.name] for part in fmt.parts))


def _grows(part: Part) -> bool:
    """Whether the part's share of a block is not declared, but follows from its growth."""
    return part.reach in {"free", "ragged"}


def _pieces(part: Part, weights: int, cols: int | None) -> Iterator[Piece]:
    """The pieces of a part; of a record, those of its fields."""
    for field in part.fields or (part,):
        owner = _owner(field)
        bits = _bits(field, weights)
        share = bits / weights if part.fields else part.bits_per_weight(cols)
        yield Piece(field.name, owner, _named(field), bits, share, codes=owner == "weight" or field.name in CODES)


def _owner(field: Part) -> Owner:
    """The thing that a declared part, or a field, belongs to."""
    if field.reach == "free" or field.reach == "ragged":  # noqa: PLR1714 - so that the type checker sees it
        raise ValueError(f"part {field.name!r} is not declared by what it belongs to")
    return field.reach


def _bits(field: Part, weights: int) -> Fraction:
    """Bits of a field in what it belongs to; of codes, in a block."""
    if field.reach == "weight":
        return weights * (Fraction(8 * itemsize(field.dtype)) if field.packing is None else field.packing.bits_per_code)
    return Fraction(8 * itemsize(field.dtype) * prod(field.dims))


def _named(field: Part) -> str:
    """Its numbers, for people."""
    if field.packing is not None:
        bits = float(field.packing.bits_per_code)
        return f"codes of {bits:g} bit{'s' * (bits != 1)}"
    name = numpy_dtype(field.dtype).name
    return f"{prod(field.dims)} x {name}" if prod(field.dims) != 1 else name
