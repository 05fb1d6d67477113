"""Encoding of a run of rows with a format's encoder, which sees blocks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from fourcc.arrays import Array, Floats, Parts
from fourcc.block_layout import BreachError, PartsOfTile, Region, regions, whole_blocks
from fourcc.format import Aids, Blocks, Format
from fourcc.geometry import Geometry
from fourcc.settings import Params

OF_BLOCKS = frozenset({"block", "weight", "matrix", "column"})  # what the encoder can return batch by batch
BATCH = 1 << 17  # weights that are encoded at a time, so that intermediate results stay in the cache


def encode_rows(fmt: Format, rows: Array, shared: object, geom: Geometry, options: Params, aids: Aids) -> Parts:
    """The parts of some rows of a matrix, as they are stored.

    Args:
        fmt: the format; it has an encoder.
        rows: the weights (rows, cols), read-only.
        shared: the result of the format's `prepare`.
        geom: of the rows.
        options: complete and checked.
        aids: what the format needs or uses.

    Raises:
        BreachError: the encoder returns something else than the format declares.
    """
    made = PartsOfTile(fmt.parts, geom)
    importance = importance_of(rows, aids)
    for region, w, counts in _cut(fmt, rows, importance, geom):
        some = rows[region.rows]
        of_rows = Geometry(len(some), geom.cols, geom.params)
        made.put(region, encode_blocks(fmt, Blocks(w, of_rows, options, shared, counts, aids, some)))
    return made.finish()


def encode_blocks(fmt: Format, blocks: Blocks) -> Parts:
    """The parts that the encoder returns for blocks. Raises BreachError where they are others than the format's."""
    assert fmt.encode is not None
    with np.errstate(all="ignore"):  # numbers beyond float32 are refused where they are decoded
        returned = fmt.encode(blocks)
    names = {field.name for part in fmt.parts for field in part.fields or (part,)}
    if not isinstance(returned, Mapping) or set(returned) != names:
        got = f"parts {sorted(map(str, returned))}" if isinstance(returned, Mapping) else f"a {_type(returned)}"
        raise BreachError(got, f"parts {sorted(names)}")
    return returned


def importance_of(rows: Array, aids: Aids) -> Floats | None:
    """The importance of each weight, (rows, cols); None where there is none."""
    return None if aids.importance is None else np.broadcast_to(aids.importance, rows.shape)


def _type(value: object) -> str:
    return type(value).__name__


def _cut(
    fmt: Format, rows: Array, importance: Floats | None, geom: Geometry
) -> Iterator[tuple[Region, Floats, Floats | None]]:
    """Batches of equal blocks, with their weights and what the errors of these count."""
    height, width = fmt.block[0] or geom.rows, fmt.width(geom.params) or geom.cols
    if all(part.reach in OF_BLOCKS for part in fmt.parts):
        for whole_region in regions(geom.rows, geom.cols, height, width):
            for region in whole_region.batches(BATCH if width > 1 or height > 1 else whole_region.count):
                yield region, read_only(region.cut(rows)), None if importance is None else region.cut(importance)
        return
    whole = whole_blocks(rows, height, width)
    region = next(regions(len(whole), whole.shape[1], height, width))
    counts = None if importance is None else region.cut(whole_blocks(importance, height, width))
    yield region, read_only(region.cut(whole)), counts


def read_only(blocks: Array) -> Array:
    """A view that an encoder may not write to."""
    view = blocks.view()
    view.flags.writeable = False
    return view
