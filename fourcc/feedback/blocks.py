"""Error feedback from block to block, for formats whose blocks have no codes of single weights, such as a trellis.

With the factor's U in blocks of columns, the weights of block B are best encoded from

    W_B - (sum_{j before B} e_j U_jB) (I + U_BB)^-1

where U_BB is U within the block: the errors before it are made up for as far as they can be; those within it are the
encoder's affair.
"""

from __future__ import annotations

import attrs
import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.block_encoding import encode_blocks, read_only
from fourcc.block_layout import PartsOfTile, Region, regions
from fourcc.feedback.factor import Factor
from fourcc.format import Blocks, Format
from fourcc.geometry import Geometry

WITHIN_BLOCKS = frozenset({"block", "weight", "matrix"})  # parts of which a block's share follows from its weights


def can_feed_blocks(fmt: Format, geom: Geometry) -> bool:
    """Whether a matrix has several blocks along a row, each of which is encoded, and decoded, without the others."""
    width = fmt.width(geom.params)
    alone = all(part.reach in WITHIN_BLOCKS for part in fmt.parts)
    lossy = fmt.real and not fmt.nonfinite and fmt.decoded == "<f4"
    return lossy and alone and fmt.turn is None and fmt.extra is None and width is not None and 1 < width < geom.cols


def parts_by_blocks(fmt: Format, whole: Blocks, factor: Factor) -> Parts:
    """The parts of some rows, encoded block after block.

    Args:
        fmt: a format for which `can_feed_blocks`.
        whole: what the encoder gets, as if the rows were one block.
        factor: of the inputs' Hessian, with the columns as they are.
    """
    geom, width = whole.geom, fmt.width(whole.params)
    assert width is not None
    made, targets = PartsOfTile(fmt.parts, geom), whole.w.copy()
    shares = np.zeros(targets.shape, np.float64)  # of the errors so far in the columns after them
    for left in range(0, geom.cols, width):
        right = min(geom.cols, left + width)
        block = slice(left, right)
        targets[:, block] = whole.w[:, block] - _within(shares[:, block], factor.upper, left)
        errors = _encoded(fmt, attrs.evolve(whole, w=targets), block, made) - whole.w[:, block]
        with np.errstate(invalid="ignore"):  # what a broken format decodes to infinity is refused later
            for k in range(left, right):
                shares[:, right:] += errors[:, k - left, None] * factor.upper[k, right : geom.cols]
    return made.finish()


def _encoded(fmt: Format, whole: Blocks, cols: slice, made: PartsOfTile) -> Array:
    """Encodes the blocks of some columns, puts their parts in place, and decodes them: float64 (rows, columns)."""
    width = cols.stop - cols.start
    before = cols.start // (fmt.width(whole.params) or width)
    decoded = np.empty((whole.geom.rows, width), np.float64)
    for region in regions(whole.geom.rows, width, fmt.block[0] or whole.geom.rows, width):
        place = attrs.evolve(region, cols=cols, before=before)
        returned = encode_blocks(fmt, _cut(whole, place))
        made.put(place, returned)
        tall = Geometry(region.count * region.height, width, whole.params)
        alone = PartsOfTile(fmt.parts, tall)
        alone.put(attrs.evolve(region, rows=slice(0, tall.rows), above=0), returned)
        decoded[region.rows] = fmt.decode(alone.finish(), tall)
    return decoded


def _cut(whole: Blocks, place: Region) -> Blocks:
    """The blocks of a region, as an encoder takes them."""
    rows = read_only(whole.w[place.rows])
    counts = None if whole.importance is None else place.cut(whole.importance)
    geom = Geometry(len(rows), whole.geom.cols, whole.params)
    return attrs.evolve(whole, w=read_only(place.cut(whole.w)), geom=geom, importance=counts, rows=rows)


def _within(shares: Array, upper: Array, left: int) -> Array:
    """The shares of a block's columns, (rows, width), times the inverse of I + U within the block."""
    x = shares.copy()
    width = x.shape[1]
    for k in range(width - 1):
        x[:, k + 1 :] -= x[:, k, None] * upper[left + k, left + k + 1 : left + width]
    return x
