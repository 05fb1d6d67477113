"""Cuts a tile into the blocks that an encoder or a block decoder sees, and puts what they return in its place.

A block is a row of an array (blocks, weights): the rows of the block follow each other. Blocks of a tile are numbered
along its rows. A tile whose last blocks are short has up to four regions of equal blocks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

import attrs
import numpy as np

from fourcc.arrays import Array, Floats, Parts
from fourcc.dtypes import numpy_dtype
from fourcc.geometry import Geometry
from fourcc.packing import pack, unpack
from fourcc.part import Part


class BreachError(Exception):
    """An encoder returned something else than its format declares."""

    def __init__(self, got: str, expected: str) -> None:
        super().__init__(f"{got}, expected {expected}")
        self.got, self.expected = got, expected


@attrs.frozen
class Region:
    """Equal blocks of a tile.

    Attributes:
        rows, cols: of the tile.
        above, before: blocks above them, and to their left.
        down, across: how many blocks.
        height, width: of a block.
    """

    rows: slice
    cols: slice
    above: int
    before: int
    down: int
    across: int
    height: int
    width: int

    @property
    def count(self) -> int:
        """How many blocks there are."""
        return self.down * self.across

    def batches(self, weights: int) -> Iterator[Region]:
        """The region in regions of at most so many weights, and of at least one block."""
        size = self.height * self.width
        across = max(1, min(self.across, weights // size))
        down = max(1, weights // (size * across)) if across == self.across else 1
        for above in range(0, self.down, down):
            for before in range(0, self.across, across):
                yield self._within(above, min(down, self.down - above), before, min(across, self.across - before))

    def _within(self, above: int, down: int, before: int, across: int) -> Region:
        """Some of the region's blocks."""
        top, left = self.rows.start + above * self.height, self.cols.start + before * self.width
        rows, cols = slice(top, top + down * self.height), slice(left, left + across * self.width)
        return Region(rows, cols, self.above + above, self.before + before, down, across, self.height, self.width)

    def cut(self, tile: Array) -> Array:
        """The region's blocks, (blocks, weights); a view of the tile where one can be."""
        if self.down == self.width == 1:  # blocks down a column
            return tile[self.rows, self.cols].T
        inside = tile[self.rows, self.cols].reshape(self.down, self.height, self.across, self.width)
        return inside.swapaxes(1, 2).reshape(self.count, self.height * self.width)

    def put(self, blocks: Array, tile: Array) -> None:
        """The inverse of `cut`: writes blocks into a tile."""
        whole = blocks.reshape(self.down, self.across, self.height, self.width).swapaxes(1, 2)
        tile[self.rows, self.cols] = whole.reshape(self.down * self.height, self.across * self.width)

    def entries(self, part: Array) -> Array:
        """The place of what belongs to each block, (down, across, *dims), in the part of the tile."""
        return part[self.above : self.above + self.down, self.before : self.before + self.across]


def regions(rows: int, cols: int, height: int, width: int) -> Iterator[Region]:
    """The regions of a tile's equal blocks: whole ones first, then those of the last columns, then of the last rows."""
    for above, top, down, tall in _runs(rows, height):
        for before, left, across, wide in _runs(cols, width):
            within = slice(top, top + down * tall), slice(left, left + across * wide)
            yield Region(*within, above, before, down, across, tall, wide)


def _runs(size: int, step: int) -> Iterator[tuple[int, int, int, int]]:
    """Steps before, place, number of steps, and length of a step: of the whole steps, then of the short one."""
    full, rest = divmod(size, step)
    if full:
        yield 0, 0, full, step
    if rest:
        yield full, full * step, 1, rest


def whole_blocks(tile: Array, height: int, width: int) -> Array:
    """A tile whose last blocks are filled up with zeros."""
    rows, cols = (-(-size // step) * step for size, step in zip(tile.shape, (height, width), strict=True))
    if (rows, cols) == tile.shape:
        return tile
    full = np.zeros((rows, cols), tile.dtype)
    full[: tile.shape[0], : tile.shape[1]] = tile
    return full


# -- from what an encoder returns to parts


class PartsOfTile:
    """The parts of a tile, filled region by region with what an encoder returns for its blocks.

    Args:
        parts: of the format.
        geom: the tile's.
    """

    def __init__(self, parts: tuple[Part, ...], geom: Geometry) -> None:
        self._parts, self._geom = parts, geom
        self._filled: dict[str, Array] = {}

    def put(self, region: Region, returned: Parts) -> None:
        """Takes what the encoder returns for a region's blocks. Raises BreachError."""
        weights = (region.count, region.height * region.width)
        for part in self._parts:
            if part.reach == "block":
                place = region.entries(self._of_blocks(part))
                for each in part.fields or (part,):
                    wide = each.reach == "weight"
                    values = _checked(each, returned, weights if wide else (region.count, *each.dims))
                    values = values if each.packing is None else pack(values, each.packing)
                    inside = place[each.name] if part.fields else place
                    inside[...] = values.reshape(inside.shape)
            elif part.reach == "weight":
                self._put_codes(part, region, _checked(part, returned, weights))
            else:
                self._put_whole(part, returned)

    def finish(self) -> dict[str, Array]:
        """The parts as they are stored."""
        return {part.name: self._stored(part) for part in self._parts}

    def _size(self, region: Region) -> tuple[int, int]:
        """Rows and columns of the tile; of whole blocks, if zeros fill up the short ones."""
        return max(self._geom.rows, region.rows.stop), max(self._geom.cols, region.cols.stop)

    def _stored(self, part: Part) -> Array:
        array = self._filled[part.name]
        if part.reach == "weight":
            codes = array[: self._geom.rows, : self._geom.cols]
            return codes if part.packing is None else pack(codes, part.packing)
        return array if part.reach in {"ragged", "free"} else array.reshape(part.shape(self._geom))

    def _array(self, part: Part, shape: tuple[int, ...]) -> Array:
        if part.name not in self._filled:
            self._filled[part.name] = np.empty(shape, numpy_dtype(part.dtype))  # the regions cover it
        return self._filled[part.name]

    def _put_codes(self, part: Part, region: Region, codes: Array) -> None:
        """Writes what each weight of a region has."""
        tile = self._size(region)
        if region.height == 1 and codes.size == tile[0] * tile[1]:  # all of them
            self._filled[part.name] = codes.reshape(tile)
        else:
            region.put(codes, self._array(part, tile))

    def _of_blocks(self, part: Part) -> Array:
        """The array of a part of blocks, with an axis for blocks down and one for blocks across."""
        if part.name in self._filled:
            return self._filled[part.name]
        shape = part.shape(self._geom)
        stored = shape[: len(shape) - len(part.dims)]  # of a block that has all rows or columns there is one
        down = stored[0] if part.block[0] is not None else 1
        across = stored[-1] if part.block[1] is not None else 1
        return self._array(part, (down, across, *part.dims))

    def _put_whole(self, part: Part, returned: Parts) -> None:
        """Takes a part that every call returns: blocks encoded with one and decoded with another are lost."""
        whole = self._whole(part, returned)
        if self._filled.setdefault(part.name, whole).tobytes() != whole.tobytes():
            got = f"other entries in part {part.name!r} than for the blocks before"
            raise BreachError(got, "the same for all blocks of the matrix, such as what `prepare` returned")

    def _whole(self, part: Part, returned: Parts) -> Array:
        """A part of rows, columns or the matrix, which the encoder returns as it is stored."""
        if part.reach == "free":
            return np.asarray(returned[part.name])
        shape = part.shape(self._geom)
        return _checked(part, returned, shape if not part.variable else np.shape(returned[part.name]))


def _checked(part: Part, returned: Parts, shape: tuple[int, ...]) -> Array:
    """A returned array in the part's dtype, if it has the shape and its entries fit; floats are rounded.

    Raises:
        BreachError: they do not; the message names the part.
    """
    array, dtype = np.asarray(returned[part.name]), numpy_dtype(part.dtype)
    if array.shape != shape:
        raise BreachError(f"{array.shape} {array.dtype} for part {part.name!r}", f"{shape} {dtype}")
    if array.dtype == dtype and part.packing is None:
        return array
    if dtype.kind == "f" and array.dtype.kind == "f":
        with np.errstate(over="ignore", invalid="ignore"):  # an infinite scale decodes to weights that are refused
            return array.astype(dtype)
    if dtype.kind not in "iub" or array.dtype.kind not in "iub":
        raise BreachError(f"{array.dtype} for part {part.name!r}", f"{dtype}")
    low, high = (0, part.packing.top) if part.packing is not None else _limits(dtype)
    signed = array.dtype.kind == "i"
    if array.size and (int(array.max()) > high or (signed and int(array.min()) < low)):
        found = f"{int(array.min())} .. {int(array.max())}"
        raise BreachError(f"{found} in part {part.name!r}", f"{low} .. {high}")
    return array.astype(dtype, copy=False)


def _limits(dtype: np.dtype[Any]) -> tuple[int, int]:
    return (0, 1) if dtype.kind == "b" else (int(np.iinfo(dtype).min), int(np.iinfo(dtype).max))


# -- from parts to what a block decoder takes, and back


def codes_of(part: Part, stored: Array, geom: Geometry) -> Array:
    """The entries of a part, or of a record's field, that has one a weight: (rows, cols)."""
    if stored.ndim > 2:  # a field: (rows, blocks, bytes)
        per_block = -(-geom.cols // stored.shape[1]) if stored.shape[1] else 0
        blocks = stored.reshape(-1, stored.shape[2])
        return (blocks if part.packing is None else unpack(blocks, per_block, part.packing)).reshape(
            geom.rows, geom.cols
        )
    return stored if part.packing is None else unpack(stored, geom.cols, part.packing)


def blocks_in(tile: Floats, height: int, width: int) -> tuple[Floats, Callable[[Floats], Floats] | None]:
    """Memory for a tile's blocks, (blocks, weights): the tile's own where that can be.

    Returns:
        The memory; and, unless it is the tile's, what makes a tile of blocks.
    """
    rows, cols = tile.shape
    if height == 1 and not cols % width:
        return tile.reshape(-1, width), None
    down, across = -(-rows // height), -(-cols // width)

    def joined(blocks: Floats) -> Floats:
        whole = np.empty((down * height, across * width), np.float32)
        next(regions(down * height, across * width, height, width)).put(blocks, whole)
        return whole[:rows, :cols]

    return np.empty((down * across, height * width), np.float32), joined


def entries(part: Part, stored: Array, geom: Geometry, height: int, width: int) -> list[Array]:
    """A part as a block decoder takes it, blocks last: (entries, blocks), or (blocks,) for one entry a block.

    Args:
        part: of the format.
        stored: its array, for `geom`.
        geom: of the rows.
        height: rows of a block.
        width: columns of a block.

    Returns:
        The array; the arrays of its fields, if the part is a record. One of the whole matrix is returned flat.
    """
    down, across = -(-geom.rows // height), -(-geom.cols // width)
    if part.fields:
        flat = stored.reshape(-1)
        return [_field_entries(each, flat[each.name], height * width) for each in part.fields]
    if part.reach == "block":
        return [_last(stored.reshape(down * across, *part.dims))]
    if part.reach == "weight":
        whole = whole_blocks(codes_of(part, stored, geom), height, width)
        region = next(regions(down * height, across * width, height, width))
        return [region.cut(whole).T]
    if part.reach == "row":  # of a block of one row
        return [_last(np.repeat(stored, across, axis=0))]
    if part.reach == "column":
        wide = np.zeros((across * width, *part.dims), stored.dtype)
        wide[: geom.cols] = stored
        return [np.tile(_last(wide.reshape(across, width * prod(part.dims))), down)]
    return [stored.reshape(-1) if part.dims else stored.reshape(())]


def _field_entries(part: Part, stored: Array, weights: int) -> Array:
    """A field of records (blocks, ...), blocks last."""
    return _last(stored) if part.packing is None else unpack(stored, weights, part.packing).T


def _last(values: Array) -> Array:
    """(blocks, *dims) -> (entries, blocks), or (blocks,) where `dims` is empty."""
    return values if values.ndim == 1 else values.reshape(len(values), -1).T
