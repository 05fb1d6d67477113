"""Collects statistics of the inputs of some matrices, and adds those of another calibration."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.calibration.hessians import HessianSums, mean_products
from fourcc.calibration.statistics import InputStatistics
from fourcc.errors import InputError, UsageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fourcc.arrays import Floats
    from fourcc.calibration.calibration import Calibration
    from fourcc.models.weights import Inputs


@attrs.frozen(eq=False)
class InputSums:
    """The sums over some inputs that matrices share.

    Attributes:
        statistics: of the inputs.
        products: the sum of x x^T, float64 (cols, cols); None where no Hessian is collected.
    """

    statistics: InputStatistics
    products: NDArray[np.float64] | None = None

    @property
    def hessian(self) -> Floats | None:
        """E[x x^T], float32 (cols, cols)."""
        return None if self.products is None else mean_products(self.products, int(self.statistics.counts[0]))


class Collector:
    """Collects statistics of the inputs of some matrices, and of each matrix of a stack.

    Args:
        inputs: the inputs.
        threads: number of threads.
        hessians: names of matrices; inputs whose first matrix is among them have the products summed, too.
    """

    def __init__(self, inputs: Sequence[Inputs], threads: int, *, hessians: Container[str] = ()) -> None:
        self._statistics = {each.names: InputStatistics.empty(each.cols, each.matrices) for each in inputs}
        some = [each for each in inputs if each.names[0] in hessians]
        self._products = {each.names: HessianSums(each.cols, threads) for each in some}

    def observe(self, window: int, names: tuple[str, ...], x: Floats, matrix: int = 0) -> None:
        """Adds inputs that some matrices share, float32 (tokens, cols), or a matrix of each of some stacks.

        Inputs that were not asked for are passed over.

        Raises:
            InputError: one is not finite; the message has the window's number.
        """
        if names not in self._statistics:
            return
        finite = np.isfinite(x)
        if not finite.all():
            found = f"{x[~finite][0]} in window {window + 1}"
            what, hint = "the inputs of this matrix are not finite", "The model overflows, or its weights are damaged."
            raise InputError(what, tensor=names[0], found=found, expected="numbers", hint=hint)
        self._statistics[names].add(x, matrix)
        if names in self._products:
            self._products[names].add(x)

    def sums(self, inputs: Inputs) -> InputSums:
        """The sums over some inputs so far."""
        products = self._products.get(inputs.names)
        return InputSums(self._statistics[inputs.names], None if products is None else products.sums)


def merged(
    other: Calibration, inputs: Inputs, statistics: InputStatistics, hessian: Floats | None
) -> tuple[InputStatistics, Floats | None]:
    """Statistics and Hessian of some inputs together with those of another calibration.

    Raises:
        UsageError: it has none, or of other columns; or only one of both has Hessians.
    """
    name = inputs.names[0]
    theirs, their_hessian = other.of(name), other.hessian(name)
    if theirs is None or theirs.squares.shape != statistics.squares.shape or theirs.magnitudes is None:
        found = "none" if theirs is None else f"those of {theirs.squares.shape}"
        what, expected = "statistics cannot be merged", f"those of {statistics.squares.shape}, with ranges"
        raise UsageError(what, file=other.path, tensor=name, found=found, expected=expected)
    both = statistics.merged(theirs)
    if (hessian is None) != (their_hessian is None):
        what = f"the calibration to merge has {'no ' * (their_hessian is None)}Hessians"
        raise UsageError(what, file=other.path, tensor=name, hint="Make both with --hessian, or none.")
    if hessian is None or their_hessian is None:
        return both, None
    ours, others, total = int(statistics.counts[0]), int(theirs.counts[0]), int(both.counts[0])
    sums = hessian.astype(np.float64) * ours + their_hessian.astype(np.float64) * others
    return both, (sums / max(1, total)).astype(np.float32)
