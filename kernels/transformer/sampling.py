"""Probabilities of tokens, by llama2.c's rules: all in float32, the sum in the order of the tokens."""

from __future__ import annotations

import numpy as np

from fourcc.kernels.simd.arithmetic import divide, floats_of, larger, largest, subtract
from fourcc.kernels.simd.elementary import first_lanes, rounded_exponential
from fourcc.kernels.simd.memory import load_float, load_floats, load_word, store
from fourcc.kernels.transformer.fields import INPUT, OUTPUT, SCALE, WIDTH

LOWEST = np.float32(-np.inf)


def probabilities(model: int, job: int, first: int, last: int, scratch: int) -> None:
    """Writes the softmax of WIDTH logits at INPUT, divided by SCALE, to OUTPUT; both have room for whole vectors."""
    count, logits, out = load_word(model + WIDTH), load_word(job + INPUT), load_word(job + OUTPUT)
    scale, most = floats_of(load_float(model + SCALE)), floats_of(LOWEST)
    for lane in range(0, count, 16):
        scaled = first_lanes(divide(load_floats(logits + 4 * lane), scale), count - lane, LOWEST)
        most = larger(most, scaled)
        store(out + 4 * lane, scaled)
    top = floats_of(largest(most))
    for lane in range(0, count, 16):
        store(out + 4 * lane, rounded_exponential(subtract(load_floats(out + 4 * lane), top)))
    total = np.float32(0)
    for at in range(out, out + 4 * count, 4):
        total += load_float(at)
    sums = floats_of(total)
    for lane in range(0, count, 16):
        store(out + 4 * lane, divide(load_floats(out + 4 * lane), sums))
