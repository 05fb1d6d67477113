"""Drawings of blocks: their pieces are all of a block's bits, for every registered format."""

from fractions import Fraction
from itertools import pairwise
from math import prod

import pytest

import fourcc
from fourcc import Format, packed, per_block, per_column, per_matrix, per_row, ragged, record
from fourcc.dtypes import itemsize
from specs.site import block_drawing, formats_shown
from specs.site.block_drawing import LINE
from specs.site.blocks import block_of

ROWS = COLS = 4096  # whole blocks of every format
TAGS = [str(tag) for tag in fourcc.registry]


def stored_bits(fmt: Format) -> Fraction:
    """Bits per weight of a large matrix by the shapes of its parts, those of the matrix and of columns left out."""
    shapes = fmt.part_shapes((ROWS, COLS), fmt.with_defaults())
    counted = [part for part in fmt.parts if part.reach not in {"matrix", "column"}]
    return Fraction(8 * sum(prod(shapes[part.name]) * itemsize(part.dtype) for part in counted), ROWS * COLS)


def decoder(*_: object) -> None:
    """Decodes nothing."""


@pytest.mark.parametrize("tag", TAGS)
def test_pieces_are_the_declared_bits(tag: str) -> None:
    fmt = fourcc.registry[tag]
    block = block_of(fmt)
    assert block.bits_per_weight == fmt.bits_per_weight() == stored_bits(fmt)
    assert {piece.name for piece in block.pieces} == {
        each.name for part in fmt.parts for each in part.fields or (part,)
    }


@pytest.mark.parametrize("tag", TAGS)
def test_drawn_bits_are_those_of_the_pieces(tag: str) -> None:
    """Nothing is lost where a line ends, no line is too long, and lines do not lie on each other."""
    block = block_of(fourcc.registry[tag])
    runs = block_drawing.runs(block)
    for piece in block.pieces:
        assert sum(run.bits for run in runs if run.piece is piece) == piece.bits
    assert all(run.x >= 0 and run.x + run.bits <= LINE for run in runs)
    ends = [(run.y, run.x, run.x + run.bits) for run in runs]
    assert all(one[0] < other[0] or one[2] <= other[1] for one, other in pairwise(ends))
    own = sum(run.bits for run in runs if not run.piece.shared)
    assert own == 8 * block.nbytes


def test_every_format_is_shown_once() -> None:
    """In one group; every built-in one has its page."""
    shown = [each.tag for group in formats_shown.groups() for each in group.formats]
    assert sorted(shown) == sorted(TAGS)
    own = [each for each in formats_shown.shown() if each.entry.distribution == "fourcc"]
    assert not [each.tag for each in own if each.page is None]


def test_shared_pieces_are_told_apart() -> None:
    """A row's scale counts a little, a matrix's codebook nothing, and neither is a part of the block's bytes."""
    parts = (per_matrix("book", "f4", 16), per_row("peak", "f4"), per_column("order", "u4"), packed("q", bits=4))
    block = block_of(Format(tag="Xy_1", summary="", block=(1, 32), parts=parts, decode_block=decoder))
    by_name = {piece.name: piece for piece in block.pieces}
    assert [by_name[name].owner for name in ("book", "peak", "order", "q")] == ["matrix", "row", "column", "weight"]
    assert [by_name[name].share for name in ("book", "peak", "order", "q")] == [0, Fraction(32, 4096), 0, 4]
    assert block.nbytes == 16
    drawn = block_drawing.drawing(block, "said")
    assert drawn.count("fc-shared") == 4  # the book has 64 bytes, two lines
    assert 'aria-label="said"' in drawn


def test_variable_length_is_drawn_by_the_nominal_bits() -> None:
    """A part whose length only encoding tells has the rest of the declared bits."""
    fmt = Format(
        tag="Xy_2",
        summary="",
        block=(1, 64),
        parts=(per_block("scale", "f2"), ragged("stream", "u1")),
        nominal_bits=Fraction(5, 2),
        decode=lambda parts, geom: parts["stream"],
    )
    block = block_of(fmt)
    assert [float(piece.share) for piece in block.pieces] == [0.25, 2.25]
    assert block.nbytes == 20


def test_fields_of_a_record_lie_side_by_side() -> None:
    """Parts that are stored apart begin a new line."""
    field = record("blocks", per_block("d", "f2"), packed("q", bits=4, run=16))
    joined = block_drawing.runs(
        block_of(Format(tag="Xy_3", summary="", block=32, parts=(field,), decode_block=decoder))
    )
    apart = block_drawing.runs(
        block_of(
            Format(
                tag="Xy_4",
                summary="",
                block=32,
                parts=(per_block("d", "f2"), packed("q", bits=4)),
                decode_block=decoder,
            )
        )
    )
    assert [(run.piece.name, run.x) for run in joined] == [("d", 0), ("q", 16)]
    assert joined[0].y == joined[1].y
    assert [(run.piece.name, run.x) for run in apart] == [("d", 0), ("q", 0)]
    assert apart[0].y < apart[1].y
