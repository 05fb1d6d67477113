"""Error feedback for a format with a `turn`: the Hessian and the weights as its blocks take them.

With F the matrix of the turn, activations become x F^T and weights W = V F. So the blocks see the Hessian F H F^T, and
are to come close to V = W F^-1 = (W F^T) G^-1, with G = F F^T, which is found by turning forward what the unit matrix
turns back to.
"""

from __future__ import annotations

import numpy as np

from fourcc.arrays import Array, Floats
from fourcc.compute.error_feedback import factorize, room_for
from fourcc.compute.turning import Turning
from fourcc.errors import PluginError
from fourcc.feedback.factor import Factor, upper_factor


def turned_hessian(turning: Turning, hessian: Floats) -> Floats:
    """F H F^T, float32 (cols, cols), of a symmetric H."""
    half = np.ascontiguousarray(turning.forward(hessian).T)
    return turning.forward(half)


def gram_factor(turning: Turning, cols: int, *, whole: int) -> Factor:
    """The factor of G. Raises PluginError where the turn loses something."""
    gram = room_for(cols)
    places = np.arange(len(gram))
    gram[places, places] = 1
    gram[:cols, :cols] = turning.forward(turning.back(np.eye(cols, dtype=np.float32)))
    factorize(gram, upper_factor, whole=whole)
    if not (gram.diagonal() > 0).all():
        raise PluginError("turn.back has no inverse: weights are lost", hint="Convert the tensor without feedback.")
    return Factor(np.arange(cols), gram)


def turned_weights(turning: Turning, gram: Factor, w: Array) -> Array:
    """V, float64 (rows, cols), for weights W of that shape.

    Args:
        turning: the turn.
        gram: of its G.
        w: the weights.
    """
    cols, upper = w.shape[1], gram.upper
    v = turning.forward(w.astype(np.float32)).astype(np.float64)
    for k in range(cols - 1, 0, -1):  # times the inverse of (I + U)^T
        v[:, :k] -= v[:, k, None] * upper[:k, k]
    v /= upper.diagonal()[:cols]
    for k in range(cols - 1):  # times the inverse of I + U
        v[:, k + 1 :] -= v[:, k, None] * upper[k, k + 1 : cols]
    return v
