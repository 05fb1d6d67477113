"""How much the error of each weight counts, as ggml's quantizers take it from the importance of the input columns."""

import numpy as np

from fourcc.format import Aids, Floats
from fourcc.formats.searches.columns import as_groups, ordered_sum


def error_weights(tile: Floats, aids: Aids, run: int, times: int, width: int) -> Floats | None:
    """The importance of a weight's column, times the root of (`times` the mean square around it, plus its own square).

    All in float32; the squares are added up from the first of a run to the last.

    Args:
        tile: (rows, cols).
        aids: their importance, (cols,).
        run: columns over which the mean is taken.
        times: what the mean is multiplied by.
        width: of a block.

    Returns:
        Float32 (blocks, width); None where nothing is known.
    """
    if aids.importance is None:
        return None
    squares = tile * tile
    mean = times * ordered_sum(as_groups(squares, run)) / np.float32(run)  # (rows * cols / run,)
    weights = np.sqrt(mean[:, None] + squares.reshape(-1, run)).reshape(tile.shape)
    weights *= aids.importance
    return weights.reshape(-1, width)


def column_importance(tile: Floats, aids: Aids, width: int) -> Floats | None:
    """The importance of each weight's column, (blocks, width); None where nothing is known."""
    if aids.importance is None:
        return None
    return np.broadcast_to(aids.importance, tile.shape).reshape(-1, width)
