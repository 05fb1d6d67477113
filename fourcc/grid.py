"""Codes of weights: how they are taken out of stored parts and put back, and what each code would decode to.

Error feedback keeps everything that a format stores but its codes. So it asks for each weight's *levels*: the weights
that its possible codes decode to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs
import numpy as np

from fourcc.arrays import Array, Floats, Parts
from fourcc.block_layout import codes_of
from fourcc.dtypes import numpy_dtype
from fourcc.geometry import Geometry
from fourcc.packing import pack
from fourcc.part import Part

LEAST = 2.0**-140  # of a level that counts: a float32 below it is rounded coarsely
EVEN = 2.0**-18  # of the larger end's magnitude: how far a level may be from its place and still lie evenly


@attrs.frozen(eq=False)
class Grid:
    """The levels of a matrix's weights: what their codes decode to while all else that is stored stays as it is.

    Where a format has a `turn` these are the weights before it, and without those that are `extra`.

    Attributes:
        low: the least code.
        high: the largest code.
        levels: float32 (codes, rows, cols): what each code decodes to, from the least on; or (2, rows, cols): those of
            the least and of the largest code, between which the others lie evenly.
    """

    low: int
    high: int
    levels: Floats

    @property
    def count(self) -> int:
        """How many codes there are."""
        return self.high - self.low + 1

    @property
    def even(self) -> bool:
        """Whether the levels between the first and the last are left out, because they lie evenly."""
        return len(self.levels) < self.count

    @property
    @np.errstate(over="ignore", invalid="ignore")  # a level may be infinite
    def steps(self) -> tuple[Array, Array]:
        """The first of even levels, and the distance from one to the next; both float64 (rows, cols)."""
        first, last = self.levels.astype(np.float64)
        return first, (last - first) / (self.count - 1)

    @np.errstate(over="ignore", invalid="ignore")
    def at(self, codes: Array) -> Array:
        """The levels of codes, integers (rows, cols): float64 of that shape. Those of even levels are rounded once."""
        numbers = codes.astype(np.int64) - self.low
        if self.even:
            first, step = self.steps
            even: Array = first + step * numbers
            return even
        of_table: Array = np.take_along_axis(self.levels, numbers[None], axis=0)[0].astype(np.float64)
        return of_table


def decoded_grid(
    decode: Callable[[Parts, Geometry], Floats],
    with_codes: Callable[[Parts, Array, Geometry], Parts],
    parts: Parts,
    geom: Geometry,
    bounds: tuple[int, int],
) -> Grid:
    """The grid of a matrix, found by decoding it with all of its codes equal.

    Args:
        decode: gives the weights of parts.
        with_codes: puts codes into parts.
        parts: of the matrix.
        geom: the matrix's.
        bounds: the least and the largest code.
    """
    return even_grid(decode, with_codes, parts, geom, bounds) or table_grid(decode, with_codes, parts, geom, bounds)


def even_grid(
    decode: Callable[[Parts, Geometry], Floats],
    with_codes: Callable[[Parts, Array, Geometry], Parts],
    parts: Parts,
    geom: Geometry,
    bounds: tuple[int, int],
    first_row: int = 0,
) -> Grid | None:
    """The grid of a matrix, or of a run of its rows, if its levels lie evenly between the ends; else None.

    Args:
        decode: as `decoded_grid` takes it.
        with_codes: likewise.
        parts: likewise.
        geom: likewise.
        bounds: likewise.
        first_row: number of the first row in the matrix: by it, each weight is looked at with one code.
    """
    ends = Grid(*bounds, np.stack([_decoded(decode, with_codes, parts, geom, np.array(code)) for code in bounds]))
    if ends.count <= 2:
        return ends
    codes = np.add.outer(np.arange(first_row, first_row + geom.rows), np.arange(geom.cols)) % ends.count + ends.low
    return ends if _lie_evenly(ends, codes, _decoded(decode, with_codes, parts, geom, codes)) else None


def table_grid(
    decode: Callable[[Parts, Geometry], Floats],
    with_codes: Callable[[Parts, Array, Geometry], Parts],
    parts: Parts,
    geom: Geometry,
    bounds: tuple[int, int],
) -> Grid:
    """The grid of a matrix, with the levels of all codes, even or not. Takes what `decoded_grid` does."""
    low, high = bounds
    levels = [_decoded(decode, with_codes, parts, geom, np.array(code)) for code in range(low, high + 1)]
    return Grid(low, high, np.stack(levels))


def _decoded(
    decode: Callable[[Parts, Geometry], Floats],
    with_codes: Callable[[Parts, Array, Geometry], Parts],
    parts: Parts,
    geom: Geometry,
    codes: Array,
) -> Floats:
    """The weights if these were their codes: (rows, cols), or one for all."""
    return decode(with_codes(parts, np.broadcast_to(codes, (geom.rows, geom.cols)), geom), geom)


def _lie_evenly(ends: Grid, codes: Array, levels: Floats) -> bool:
    """Whether the levels of some codes are where they are if all lie evenly between the ends."""
    with np.errstate(invalid="ignore", over="ignore"):
        off = np.abs(ends.at(codes) - levels)
        return bool((off <= EVEN * np.abs(ends.levels).max(axis=0) + LEAST).all())


def code_bounds(part: Part) -> tuple[int, int]:
    """The least and the largest code that a part's encoders use: of signed integers, as many below 0 as above."""
    if part.packing is not None:
        return 0, part.packing.top
    limits = np.iinfo(numpy_dtype(part.dtype))
    return max(int(limits.min), -int(limits.max)), int(limits.max)


def entries_of_weights(parts: tuple[Part, ...], stored: Parts, geom: Geometry) -> dict[str, Array]:
    """The entries of the weights, (rows, cols), of each part and each field of a record that has one a weight."""
    found = {}
    for part in parts:
        for field in part.fields or (part,):
            if field.reach == "weight":
                array = stored[part.name][field.name] if part.fields else stored[part.name]
                found[field.name] = codes_of(field, array, geom)
    return found


def with_entries(parts: tuple[Part, ...], stored: Parts, entries: Mapping[str, Array]) -> dict[str, Array]:
    """Stored parts with other entries of the weights, which are integers (rows, cols) by the name of part or field."""
    changed = dict(stored)
    for part in parts:
        if part.fields and any(field.name in entries for field in part.fields):
            changed[part.name] = stored[part.name].copy()
        for field in part.fields or (part,):
            if field.name in entries and part.fields:
                _put_field(field, entries[field.name], changed[part.name])
            elif field.name in entries:
                changed[part.name] = _stored(field, entries[field.name])
    return changed


def _put_field(field: Part, entries: Array, records: Array) -> None:
    """Writes the entries of the weights into a field of records (rows, blocks)."""
    place = records[field.name]
    blocks = entries.reshape(records.size, -1)
    place[...] = _stored(field, blocks).reshape(place.shape)


def _stored(part: Part, entries: Array) -> Array:
    """Entries of weights as a part stores them."""
    dtype = numpy_dtype(part.dtype)
    return entries.astype(dtype) if part.packing is None else pack(entries.astype(np.uint8), part.packing)
