"""Error weights: how much the error of each weight counts, derived from the importance of its column as in ggml."""

import numpy as np

from fourcc.format import Aids, Floats
from fourcc.formats.searches.columns import as_groups, ordered_sum


def error_weights(tile: Floats, aids: Aids, run: int, times: int, width: int) -> Floats | None:
    """c * sqrt(times * S + w^2), with c the importance of the column and S the mean square of the weight's run.

    All in float32; the squares of a run are added from the first to the last.

    Args:
        tile: (rows, cols).
        aids: hold the importance, (cols,), or None.
        run: columns over which the mean is taken.
        times: factor of the mean.
        width: of a block.

    Returns:
        Error weights, float32 (blocks, width); None where there is no importance.
    """
    if aids.importance is None:
        return None
    squares = tile * tile
    mean = times * ordered_sum(as_groups(squares, run)) / np.float32(run)  # (rows * cols / run,)
    weights = np.sqrt(mean[:, None] + squares.reshape(-1, run)).reshape(tile.shape)
    weights *= aids.importance
    return weights.reshape(-1, width)


def column_importance(tile: Floats, aids: Aids, width: int) -> Floats | None:
    """The importance of each weight's column, (blocks, width); None where there is no importance."""
    if aids.importance is None:
        return None
    return np.broadcast_to(aids.importance, tile.shape).reshape(-1, width)
