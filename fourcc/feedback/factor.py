"""The factor of a damped Hessian, which says what an error of one column costs in the columns after it.

The output error of a matrix with the errors E is tr(E H E^T), for H = E[x x^T] over its inputs. With

    H = (I + U) D (I + U)^T,    U strictly upper triangular, D diagonal,

it is the sum over columns k of D_k |e_k + sum_{j<k} e_j U_jk|^2. So column k is best rounded from w_k - sum_{j<k} e_j
U_jk, with e = decoded - w: it makes up for what the columns before it have done wrong, as far as it can. That is the
LDLQ of QuIP (Chee et al., 2023), which equals GPTQ (Frantar et al., 2022) without an inverse.
"""

from __future__ import annotations

import attrs
import numpy as np

from fourcc.arrays import Array, Floats
from fourcc.compute.error_feedback import factorize, room_for
from fourcc.errors import UsageError
from fourcc.feedback.feedback import Feedback
from fourcc.files.mapped import runs_of_rows

DAMPEN = "Calibrate on more text, or raise the damping."


@attrs.frozen(eq=False)
class Factor:
    """U of a damped Hessian.

    Attributes:
        order: integers (cols,): the columns in the order in which they are worked on.
        upper: float64, at least (cols, cols), in that order: U above the diagonal; the rest is not to be read.
    """

    order: Array
    upper: Array


def factored(hessian: Floats, feedback: Feedback, *, whole: int, tensor: str | None = None) -> Factor:
    """The factor of a Hessian, float32 (cols, cols); of its two halves the one below the diagonal, in order, is read.

    A *dead* column, whose input was always 0, takes part in nothing: its error costs nothing, and it gets none.

    Args:
        hessian: E[x x^T] over the inputs.
        feedback: damping and order.
        whole: weights of the whole work; large work is done by compiled code.
        tensor: its name, for messages.

    Raises:
        UsageError: the Hessian is not finite or not positive definite.
    """
    diagonal = _checked_diagonal(hessian, tensor)
    live = np.flatnonzero(diagonal)
    falling = np.argsort(-diagonal, kind="stable")
    order = falling if feedback.order == "activity" else np.arange(len(diagonal))
    damping = feedback.damping * (np.cumsum(diagonal[live])[-1] / live.size) if live.size else 1.0
    matrix = _damped(hessian, order, damping)
    factorize(matrix, upper_factor, whole=whole)
    if not (matrix.diagonal() > 0).all():
        raise UsageError("the hessian is not positive definite", tensor=tensor, hint=DAMPEN)
    return Factor(order, matrix)


def _checked_diagonal(hessian: Floats, tensor: str | None) -> Array:
    """The diagonal, float64 (cols,). Raises UsageError where the Hessian is not finite."""
    runs = []
    for first, rows in runs_of_rows(hessian):
        if not np.isfinite(rows).all():
            raise UsageError("the hessian holds NaN or infinity", tensor=tensor, expected="finite numbers")
        runs.append(rows.diagonal(first).astype(np.float64))
    return np.concatenate(runs) if runs else np.empty(0)


def _damped(hessian: Floats, order: Array, damping: float) -> Array:
    """The damped Hessian in order, float64 with room for whole vectors: there the diagonal is 1, and the rest 0."""
    cols = len(order)
    matrix = room_for(cols)  # (size, size)
    for first, rows in runs_of_rows(hessian, order):
        matrix[first : first + len(rows), :cols] = rows[:, order]
    dead = np.flatnonzero(matrix.diagonal()[:cols] == 0)
    matrix[dead], matrix[:, dead] = 0, 0
    places = np.arange(len(matrix))
    matrix[places[:cols], places[:cols]] += damping
    matrix[places[cols:], places[cols:]] = 1
    return matrix


@np.errstate(divide="ignore", invalid="ignore", over="ignore")  # of a matrix that is not positive definite: refused
def upper_factor(matrix: Array) -> None:
    """Factors a symmetric matrix, float64 (n, n), in place: its lower half is read, U and D take the other.

    From the last column backward, with every product and difference rounded by itself.
    """
    for k in range(len(matrix) - 1, 0, -1):
        row = matrix[k, :k]
        share = row / matrix[k, k]
        matrix[:k, :k] -= share[:, None] * row
        matrix[:k, k] = share
