"""The parts of a format as its traced block decoder takes them."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

from fourcc.geometry import Geometry

if TYPE_CHECKING:
    from fourcc.format import Format
    from fourcc.kernels.fusing.block_part import BlockPart, Covers
    from fourcc.kernels.fusing.packed_codes import PackedCodes
    from fourcc.kernels.fusing.stored_parts import DecoderPart
    from fourcc.part import Packing, Part
    from fourcc.settings import Params

_UNEVEN = "not stored block by block"


def unfit_for_blocks(fmt: Format, params: Params) -> str | None:
    """Why a format's blocks cannot be decoded one by one, or None if they can.

    Blocks must lie along a row. A part with a `tail` must have its entries one block after the other, or a fixed number
    of entries for a row or for the matrix, whatever its size.

    Args:
        fmt: the format.
        params: complete.
    """
    width = fmt.width(params)
    if fmt.block[0] != 1 or width is None:
        return "its blocks are not along a row"
    for part in fmt.block_parts:
        if part.reach == "free" and part.rows not in {1, None}:
            return f"part {part.name!r} is not stored row by row"
        if part.reach == "free" and _covered(part, width, params) is None:
            return f"part {part.name!r} is " + ("as large as the matrix" if part.rows is None else _UNEVEN)
    return None


def block_parts(fmt: Format, params: Params) -> list[DecoderPart]:
    """The parts of one block, in the order in which the block decoder takes them."""
    width = fmt.width(params)
    assert width is not None
    return [_free(part, width, params) if part.reach == "free" else _declared(part, width) for part in fmt.block_parts]


def _declared(part: Part, width: int) -> DecoderPart:
    from fourcc.kernels.fusing.stored_parts import ColumnsPart, FieldsPart

    if part.fields:
        return FieldsPart(part.name, tuple(_entries(field, width) for field in part.fields))
    entries = _entries(part, width)
    return ColumnsPart(entries) if part.reach == "column" else entries


def _entries(part: Part, width: int) -> BlockPart:
    """A part's share of a block: one number, several, or codes."""
    from fourcc.kernels.fusing.block_part import BlockPart

    assert isinstance(part.dtype, str)
    across = width if part.reach in {"weight", "column"} else 1
    covers: Covers = "row" if part.reach == "row" else "matrix" if part.reach == "matrix" else "block"
    scalar = not part.dims and part.reach not in {"weight", "column"}
    packing = None if part.packing is None else _packed_codes(part.packing)
    return BlockPart(part.name, part.dtype, across * prod(part.dims), covers, scalar, packing)


def _packed_codes(packing: Packing) -> PackedCodes:
    from fourcc.kernels.fusing.packed_codes import PackedCodes

    if not packing.bits:
        return PackedCodes(base=packing.base, digits=packing.digits)
    return PackedCodes(bits=packing.bits, run=packing.run if packing.run > 1 else 0, high_first=packing.high_first)


def _free(part: Part, width: int, params: Params) -> BlockPart:
    """A part with a `tail`, whose owner its shape at some sizes tells."""
    from fourcc.kernels.fusing.block_part import BlockPart

    assert part.tail is not None
    count, covers = prod(part.tail(Geometry(1, width, params))), _covered(part, width, params)
    assert covers is not None
    if isinstance(part.dtype, str):
        return BlockPart(part.name, part.dtype, count, covers)
    fields = tuple((name, kind, prod(dims)) for name, kind, dims in part.dtype)
    return BlockPart(part.name, fields, count, covers)


def _covered(part: Part, width: int, params: Params) -> Covers | None:
    """The owner of the entries of a part with a `tail`: a block, or a row or the matrix, of any size; None: none."""
    assert part.tail is not None
    one, three = part.tail(Geometry(1, width, params)), part.tail(Geometry(1, 3 * width, params))
    if part.tail(Geometry(2, width, params)) != one:
        return None
    if one == three:
        return "matrix" if part.rows is None else "row"
    in_order = len(one) > 0 and three == (3 * one[0], *one[1:])
    return "block" if in_order and part.rows == 1 else None
