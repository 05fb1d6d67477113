"""The error that a matrix's encoded weights make in its outputs, on the inputs of a text.

With W the weights (rows, cols), V the decoded ones and x the inputs, over all tokens of the text:

    output error = sum ||x (W - V)^T||^2 / sum ||x W^T||^2

This is tr(D G D^T) / tr(W G W^T) with D = W - V and G = sum x^T x, without G: the products cost less for up to as many
tokens as columns, and they are those that the network computes. They are float32, the sums float64 in the order of
`fourcc.metrics`: the same for any number of threads.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf, isfinite

import numpy as np

from fourcc.arrays import Array, Floats
from fourcc.compute import coding, matmul, pack_decoded
from fourcc.metrics import ErrorSums

RUN = 512  # inputs at a time


class OutputComparison:
    """Compares decoded weights with the original by their outputs.

    Args:
        weights: the original, float32 (rows, cols).
        inputs: float32 (tokens, cols), or for an embedding that is only looked up the tokens, integers (tokens,).
        threads: number of threads.
    """

    def __init__(self, weights: Floats, inputs: Floats | Sequence[int], threads: int) -> None:
        self._inputs = np.asarray(inputs)
        self._threads = threads
        self._outputs = list(self._runs(weights))

    def __call__(self, decoded: Floats) -> float | None:
        """The output error of decoded weights; 0 where no output differs, None where it is not finite."""
        sums = ErrorSums()
        for outputs, mine in zip(self._outputs, self._runs(decoded), strict=True):
            sums += coding.error_sums(outputs, mine, whole=outputs.size)
        if sums.noise == 0:
            return 0.0
        error = sums.noise / sums.signal if sums.signal else inf
        return error if isfinite(error) else None

    def _runs(self, weights: Floats) -> Iterator[Array]:
        """The outputs, a run of inputs at a time: float32 (n, rows); of a look-up, the rows themselves (n, cols)."""
        packed = pack_decoded(weights)
        for first in range(0, len(self._inputs), RUN):
            some = self._inputs[first : first + RUN]
            yield weights[some] if some.ndim == 1 else matmul(packed, some, self._threads, exact=True)
