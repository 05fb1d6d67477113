"""Probabilities of tokens from their logits, in compiled code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fourcc.compute.teams import run
from fourcc.kernels.descriptors import LAYER_JOB, MODEL, address, empty, round_up
from fourcc.kernels.transformer.sampling import probabilities

if TYPE_CHECKING:
    from fourcc.arrays import Floats


class Softmax:
    """Softmax of logits divided by a temperature, by llama2.c's rules.

    Args:
        count: logits.
        temperature: above 0.
    """

    def __init__(self, count: int, temperature: float) -> None:
        self._count, wide = count, round_up(count)
        self._logits, self._probabilities = empty(wide, "<f4"), empty(wide, "<f4")
        self._model = MODEL.record(width=count, scale=temperature)
        self._job = LAYER_JOB.record(input=address(self._logits), output=address(self._probabilities))

    def __call__(self, logits: Floats) -> Floats:
        """Probabilities, float32 (count,), of finite logits or -inf (count,); overwritten by the next call."""
        self._logits[: self._count] = logits
        run(probabilities, self._model, self._job, rows=1, align=1, threads=1)
        return self._probabilities[: self._count]
