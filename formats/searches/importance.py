"""Error weights: how much the error of each weight counts, derived from the importance of its column as in ggml."""

import numpy as np

from fourcc import Blocks, Floats
from fourcc.formats.searches.columns import as_groups, ordered_sum


def error_weights(blocks: Blocks, runs: Floats, times: int) -> Floats | None:
    """c * sqrt(times * S + w^2), with c the importance of the column and S the mean square of the weight's run.

    All in float32; the squares of a run are added from the first to the last.

    Args:
        blocks: hold the importance, or None.
        runs: weights over which the mean is taken: those of the blocks, or of their rows, (runs, n).
        times: factor of the mean.

    Returns:
        Error weights, float32 (blocks, width); None where there is no importance.
    """
    if blocks.importance is None:
        return None
    n = runs.shape[1]
    mean = times * ordered_sum(as_groups(runs * runs, n)) / np.float32(n)  # (runs,)
    of_block = np.repeat(mean, len(blocks.w) // len(runs))[:, None]
    weights: Floats = np.sqrt(of_block + blocks.w * blocks.w) * blocks.importance
    return weights
