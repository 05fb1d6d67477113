"""How a format takes error feedback: weight by weight, block by block, or not at all."""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np

from fourcc.arrays import Floats
from fourcc.block_encoding import encode_rows
from fourcc.feedback.blocks import can_feed_blocks
from fourcc.format import Aids, Format, Original
from fourcc.geometry import Geometry
from fourcc.settings import Params

Way = Literal["codes", "blocks"]
SAME = 1e-4  # of the largest weight: how far a level may be from the weight that its code decodes to
ROWS = 16  # of a trial matrix, where a block has all rows


def way_of(fmt: Format, geom: Geometry, options: Params) -> Way | None:
    """How a matrix takes feedback: by the codes of its weights, by its blocks; None: not at all.

    A code of a weight is one that decides this weight alone. That of a trellis decides its neighbours, too, which no
    declaration tells. So a few made-up weights are encoded, and their levels compared with what is decoded.

    Args:
        fmt: has an encoder.
        geom: the matrix's.
        options: of the encoder.
    """
    rows = fmt.block[0] or min(ROWS, geom.rows)
    if fmt.misfit((rows, geom.cols), geom.params) is not None:
        rows = geom.rows
    if fmt.grid is not None and _levels_hold(fmt, rows, geom.cols, _items(geom.params), _items(options)):
        return "codes"
    return "blocks" if can_feed_blocks(fmt, geom) else None


def _items(params: Params) -> tuple[tuple[str, object], ...]:
    return tuple(sorted(params.items()))


@lru_cache(64)
@np.errstate(invalid="ignore", over="ignore")  # of a broken format, which decodes to infinity: then no level holds
def _levels_hold(
    fmt: Format,
    rows: int,
    cols: int,
    params: tuple[tuple[str, object], ...],
    options: tuple[tuple[str, object], ...],
) -> bool:
    """Whether the levels at the stored codes of made-up weights are what these decode to."""
    assert fmt.grid is not None
    assert fmt.codes is not None
    geom = Geometry(rows, cols, dict(params))
    w: Floats = np.sin(np.arange(rows * cols) * 2.4).astype(np.float32).reshape(rows, cols)
    w.flags.writeable = False
    aids = Aids(np.ones(cols, np.float32), np.eye(cols, dtype=np.float32)).restricted(fmt.needs)

    def reader(first: int, last: int) -> Floats:
        return w[first:last]

    shared = None if fmt.prepare is None else fmt.prepare(Original(reader, geom, dict(options), aids))
    parts = encode_rows(fmt, w, shared, geom, dict(options), aids)
    levels, decoded = fmt.grid(parts, geom).at(fmt.codes(parts, geom)), fmt.decode_blocks(parts, geom)
    return bool((np.abs(levels - decoded) <= SAME * np.abs(decoded).max()).all())
