"""Sums and products with a number: the residual stream, biases, the scaling of embeddings and logits."""

from __future__ import annotations

from fourcc.kernels.simd.arithmetic import add, divide, floats_of, multiply
from fourcc.kernels.simd.memory import load_float, load_floats, load_word, store
from fourcc.kernels.simd.sigmoids import tanh
from fourcc.kernels.transformer.fields import (
    FACTOR,
    INPUT,
    INPUT_STRIDE,
    OUTPUT,
    OUTPUT_STRIDE,
    SOFTCAP,
    WEIGHT,
    WIDTH,
)


def add_to(model: int, job: int, first: int, last: int, scratch: int) -> None:
    """output + input, into output: the residual stream."""
    width = load_word(model + WIDTH)
    for row in range(first, last):
        x = load_word(job + INPUT) + row * load_word(job + INPUT_STRIDE)
        out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE)
        for at in range(0, 4 * width, 64):
            store(out + at, add(load_floats(out + at), load_floats(x + at)))


def add_scaled(model: int, job: int, first: int, last: int, scratch: int) -> None:
    """output + FACTOR * input, into output."""
    width, factor = load_word(model + WIDTH), floats_of(load_float(model + FACTOR))
    for row in range(first, last):
        x = load_word(job + INPUT) + row * load_word(job + INPUT_STRIDE)
        out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE)
        for at in range(0, 4 * width, 64):
            store(out + at, add(load_floats(out + at), multiply(factor, load_floats(x + at))))


def add_bias(model: int, job: int, first: int, last: int, scratch: int) -> None:
    """output + weight, into output."""
    width, weight = load_word(model + WIDTH), load_word(model + WEIGHT)
    for row in range(first, last):
        out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE)
        for at in range(0, 4 * width, 64):
            store(out + at, add(load_floats(out + at), load_floats(weight + at)))


def scale(model: int, job: int, first: int, last: int, scratch: int) -> None:
    """FACTOR * output, into output."""
    width, factor = load_word(model + WIDTH), floats_of(load_float(model + FACTOR))
    for row in range(first, last):
        out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE)
        for at in range(0, 4 * width, 64):
            store(out + at, multiply(factor, load_floats(out + at)))


def soft_cap(model: int, job: int, first: int, last: int, scratch: int) -> None:
    """SOFTCAP * tanh(output / SOFTCAP), into output, which thereby lies between -SOFTCAP and SOFTCAP."""
    width, cap = load_word(model + WIDTH), floats_of(load_float(model + SOFTCAP))
    for row in range(first, last):
        out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE)
        for at in range(0, 4 * width, 64):
            store(out + at, multiply(cap, tanh(divide(load_floats(out + at), cap))))
