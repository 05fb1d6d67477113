"""Probabilities of tokens from their logits, in compiled code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fourcc.compute.teams import run

if TYPE_CHECKING:
    from fourcc.format import Floats


class Softmax:
    """Softmax of logits divided by a temperature, by llama2.c's rules.

    Args:
        count: logits.
        temperature: above 0.
    """

    def __init__(self, count: int, temperature: float) -> None:
        from fourcc.kernels.descriptors import address, empty, round_up
        from fourcc.kernels.transformer.layers import LAYER_WORDS, MODEL_WORDS, OUTPUT, SCALE

        self._count, wide = count, round_up(count)
        self._logits, self._made = empty(wide, "<f4"), empty(wide, "<f4")
        self._model, self._job = np.zeros(MODEL_WORDS, np.int64), np.zeros(LAYER_WORDS, np.int64)
        self._model[0] = count
        self._model[SCALE // 8 :][:1].view(np.float32)[0] = temperature
        self._job[0], self._job[OUTPUT // 8] = address(self._logits), address(self._made)

    def __call__(self, logits: Floats) -> Floats:
        """Probabilities, float32 (count,), of finite logits or -inf (count,); overwritten by the next call."""
        from fourcc.kernels.transformer.sampling import probabilities

        self._logits[: self._count] = logits
        run(probabilities, self._model, self._job, rows=1, align=1, threads=1)
        return self._made[: self._count]
