"""How much memory a tile takes while it is decoded, encoded and measured, found by a trial on made-up weights.

No declaration tells what a format's encoder allocates, least of all a plugin's. So a small tile goes the way of all
tiles once, in numpy, while Python counts what it allocates. Compiled kernels take less.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from functools import lru_cache, partial
from math import prod

import attrs
import numpy as np

from fourcc.block_encoding import BATCH, OF_BLOCKS
from fourcc.dtypes import itemsize, numpy_dtype
from fourcc.errors import FourccError
from fourcc.feedback.correction import rows_together
from fourcc.feedback.feedback import Feedback
from fourcc.format import Aids, Format
from fourcc.geometry import Geometry
from fourcc.matrix_encoder import MatrixEncoder
from fourcc.settings import Params

TRIAL = 1 << 16  # weights of a trial
LARGE_TRIAL = 1 << 18  # for tiles that are encoded at once, which may be whole matrices
FED_TRIAL = 1 << 14  # with error feedback
COLUMNS = 256  # of a trial, at least
KEPT = 17  # bytes for a weight: the original, its copy or its mask, what is decoded, and differences in float64
FED = 60  # likewise with error feedback: the weights and the errors in float64, codes in int64
LEVEL = 8  # bytes for each level of a weight, with the copy in the kernel's order
UNKNOWN = 256  # bytes for a weight where a trial fails: the conversion will tell why

Items = tuple[tuple[str, object], ...]


@attrs.frozen
class TileNeed:
    """Bytes for a tile.

    Attributes:
        working: while it is worked on.
        waiting: for its result, until it is written.
    """

    working: int
    waiting: int


def decoding_bytes(fmt: Format, params: Params, rows: int, cols: int) -> int:
    """Bytes that decoding rows of a matrix takes, with the stored parts and the result."""
    stored = fmt.stored_bytes((rows, cols), params)
    return 2 * stored + rows * cols * _decoding(fmt, _items(params))


def encoding_bytes(
    fmt: Format, params: Params, options: Params, feedback: Feedback | None, rows: int, cols: int
) -> int:
    """Bytes that encoding and measuring rows of a matrix takes, with the original weights and the result.

    Args:
        fmt: has an encoder.
        params: of its layout.
        options: of its encoder.
        feedback: the settings of error feedback, if there is some; the factor does not count.
        rows: of the tile.
        cols: likewise.
    """
    weights, trial = rows * cols, partial(_encoding, fmt, _items(params), _items(options), feedback)
    if feedback is not None:
        each = trial(FED_TRIAL)
        levels = max(2, (each - FED) // LEVEL)
        at_once = cols * min(rows, rows_together(fmt, cols, levels) or rows)
        return FED * weights + max(0, each - FED) * at_once
    if _in_batches(fmt):
        each = trial(TRIAL)
        at_once = min(weights, max(BATCH, prod((fmt.block[0] or rows, fmt.width(params) or cols))))
        return KEPT * weights + max(0, each - KEPT) * at_once
    if weights <= TRIAL:
        return trial(TRIAL) * weights
    each, further = trial(LARGE_TRIAL), 2 * trial(LARGE_TRIAL) - trial(LARGE_TRIAL // 2)  # for a weight beyond it
    return each * min(weights, LARGE_TRIAL) + max(KEPT, further) * max(0, weights - LARGE_TRIAL)


def _in_batches(fmt: Format) -> bool:
    """Whether the encoder sees some blocks of a tile at a time, as `fourcc.block_encoding` cuts them."""
    return all(part.reach in OF_BLOCKS for part in fmt.parts) and fmt.block != (1, 1)


def _items(params: Params) -> Items:
    return tuple(sorted(params.items()))


def _trial_geometry(fmt: Format, params: Params, weights: int = TRIAL) -> Geometry:
    """A matrix of whole blocks with about so many weights."""
    width, height = fmt.width(params) or COLUMNS, fmt.block[0] or 1
    cols = -(-COLUMNS // width) * width
    return Geometry(height * max(1, weights // (cols * height)), cols, params)


@lru_cache(256)
def _decoding(fmt: Format, params: Items) -> int:
    """Bytes for a weight that decoding takes, with the result."""
    geom = _trial_geometry(fmt, dict(params))
    parts = {part.name: np.zeros(part.shape(geom), numpy_dtype(part.dtype)) for part in fmt.parts}
    if fmt.variable:
        return UNKNOWN
    return _counted(partial(fmt.decode, parts, geom), geom) or 2 * itemsize(fmt.decoded)


@lru_cache(256)
def _encoding(fmt: Format, params: Items, options: Items, feedback: Feedback | None, count: int) -> int:
    """Bytes for a weight that encoding and measuring takes, in a tile of `count` weights."""
    geom = _trial_geometry(fmt, dict(params), count)
    w = np.sin(np.arange(geom.rows * geom.cols, dtype=np.float32) * 2.4).reshape(geom.rows, geom.cols)
    aids = Aids(np.ones(geom.cols, np.float32), np.eye(geom.cols, dtype=np.float32))
    encoder = MatrixEncoder(fmt, geom, dict(options), aids, feedback=feedback)

    def work() -> object:
        original = w.copy()  # as if it had been decoded
        return encoder.tile(original, encoder.prepare(lambda first, last: original[first:last]), 0)

    return _counted(work, geom) or UNKNOWN


def _counted(work: Callable[[], object], geom: Geometry) -> int:
    """The most bytes for a weight that Python and numpy hold during some work; 0 where it fails."""
    began = not tracemalloc.is_tracing()
    try:
        work()  # what is made once only does not count
        if began:
            tracemalloc.start()
        tracemalloc.reset_peak()
        before = tracemalloc.get_traced_memory()[0]
        work()
        return -(-(tracemalloc.get_traced_memory()[1] - before) // prod((geom.rows, geom.cols)))
    except (FourccError, ArithmeticError, LookupError, TypeError, ValueError):
        return 0
    finally:
        if began:
            tracemalloc.stop()
