"""The signatures of the plain functions that products are built from, for mypy.

Nothing here reaches machine code. An operation of `fourcc.kernels.simd` fits every signature: its `__call__` takes and
returns Any, since LLVM's values have no types.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from fourcc.kernels.simd.interpreted import Lanes

Source = TypeVar("Source")
Place = TypeVar("Place")
Where = TypeVar("Where")

# (cols) -> bytes
BytesFor = Callable[[int], int]


# -- rows as they are stored

# (address) -> 16 floats
Load = Callable[[int], Lanes]
# (address, count) -> up to 16 floats, then zeros
LoadSome = Callable[[int, int], Lanes]
# (totals, address, stride, x) -> totals, with the products of sixteen numbers of each row and x added
AddRows = Callable[[Lanes, int, int, Lanes], Lanes]
# (weights, row, out) writes a row's floats, or its codes
WriteRow = Callable[[int, int, int], None]
# (weights, row, scales, offsets) writes a row's scales, and its offsets where the format has them
WriteRowScales = Callable[[int, int, int, int], None]
# (weights, row, count, out, scratch) writes the panel of `count` rows from `row` on
PanelMaker = Callable[[int, int, int, int, int], None]
# (weights, job, row) multiplies a fixed number of rows, from `row` on, by one activation
SideBySide = Callable[[int, int, int], None]
# (weights, job, row, last, column) multiplies rows row .. row + last by a fixed number of activations, from `column` on
FourRows = Callable[[int, int, int, int, int], None]


# -- tiles: sixteen rows or 32, some activations; `rows` of them are stored, to `row` and the rows that follow

# (source, cols, job, column, rows, row) multiplies by a fixed number of activations, from `column` on
Tile = Callable[[Source, int, int, int, int, int], None]
# (source, cols, job, count, rows, row) multiplies by `count` activations
Tiles = Callable[[Source, int, int, int, int, int], None]
# (source, cols, job, (column, count), rows, row) multiplies by activations column .. count
TilesFrom = Callable[[Source, int, int, tuple[int, int], int, int], None]
# (job, column, wide) -> where an activation's scales, zero corrections and sums begin, and their stride
LocateScales = Callable[[int, int, int], tuple[int, int, int, int]]


# -- packed blocks of sixteen rows

# (p, stride, rows, out, scratch) packs the same block of up to sixteen rows, which are stored `stride` bytes apart
PackBlocks = Callable[[int, int, int, int, int], None]
# (p, stride, rows, out) packs the bytes of these blocks that belong to no word
PackRest = Callable[[int, int, int, int], None]
# (p, scales, offsets) writes the scales of sixteen packed blocks, and their offsets where the format has them
WriteScales = Callable[[int, int, int], None]
# (p, codes, scales, offsets) writes all that sixteen packed blocks hold
ExpandBlocks = Callable[[int, int, int, int], None]
# (p, out, scratch) writes the floats of sixteen packed blocks, a vector for each column
DecodeBlocks = Callable[[int, int, int], None]

# () -> sums of 0, with which a group begins
NoDots = Callable[[], Lanes]
# (dots, codes, place, column) -> dots: takes four codes of each of sixteen rows, int32, those from `column` on. A
# product adds their dot products with the activations at `place`; the maker of a panel stores them there.
PutCodes = Callable[[Lanes, Lanes, Place, int], Lanes]
# (total, dots, index, where) -> total: multiplies the dots of group `index` by its scale and adds them to the total
FinishGroup = Callable[[Lanes, Lanes, int, Where], Lanes]
# (p, place, total, where) -> total: walks over all codes of sixteen packed blocks
WalkCodes = Callable[[int, Place, Lanes, Where], Lanes]


class BlockCodes(Protocol):
    """The order of a format's codes: builds the walk over them for a product, or for the maker of a panel."""

    def __call__(self, put: PutCodes[Place], finish: FinishGroup[Where], no_dots: NoDots, /) -> WalkCodes[Place, Where]:
        """The walk: it begins each group with `no_dots()`, hands its codes to `put` and then its dots to `finish`.

        Args:
            put: takes four columns at a time.
            finish: takes a group of columns that share a scale.
            no_dots: sums of 0.
        """
