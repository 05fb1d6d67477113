"""Activation functions between the matrices of a feed-forward network, plain and as gates of a second buffer.

Every function gives 0 for 0, so zeros behind an activation stay zeros.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from fourcc.kernels.simd.arithmetic import (
    add,
    divide,
    floats_of,
    larger,
    multiply,
    multiply_add,
    no_floats,
    smaller,
    subtract,
)
from fourcc.kernels.simd.elementary import exponential
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import load_float, load_floats, load_word, store
from fourcc.kernels.simd.sigmoids import erf
from fourcc.kernels.transformer.fields import (
    FACTOR,
    INPUT,
    INPUT_STRIDE,
    LIMIT,
    OUTPUT,
    OUTPUT_STRIDE,
    SECOND,
    SECOND_STRIDE,
    WIDTH,
)

if TYPE_CHECKING:
    from fourcc.kernels.compiler.jit import KernelFunction

ONE, HALF = np.float32(1), np.float32(0.5)
ROOT_HALF = np.float32(0.5**0.5)
TWICE_SLOPE = np.float32((8 / np.pi) ** 0.5)  # 2 sqrt(2 / pi)
CUBIC = np.float32(0.044715)


def silu(x: Lanes) -> Lanes:
    """x / (1 + e^-x)."""
    value: Lanes = divide(x, add(exponential(subtract(no_floats(), x)), floats_of(ONE)))
    return value


def gelu_tanh(x: Lanes) -> Lanes:
    """GELU by tanh, x (1 + tanh u) / 2 with u = sqrt(2 / pi) (x + 0.044715 x^3), which is x / (1 + e^-2u)."""
    cubic = multiply(floats_of(CUBIC), multiply(x, x))
    twice = multiply(multiply(floats_of(TWICE_SLOPE), x), add(cubic, floats_of(ONE)))
    value: Lanes = divide(x, add(exponential(subtract(no_floats(), twice)), floats_of(ONE)))
    return value


def gelu(x: Lanes) -> Lanes:
    """GELU by the normal distribution, x (1 + erf(x / sqrt 2)) / 2."""
    half = multiply(floats_of(HALF), x)
    value: Lanes = multiply_add(half, erf(multiply(floats_of(ROOT_HALF), x)), half)
    return value


def relu(x: Lanes) -> Lanes:
    """The larger of x and 0."""
    value: Lanes = larger(x, no_floats())
    return value


def plain(function: Callable[[Lanes], Lanes]) -> KernelFunction:
    """The kernel that writes a function of the input to the output."""

    def activate(model: int, job: int, first: int, last: int, scratch: int) -> None:
        width = load_word(model + WIDTH)
        for row in range(first, last):
            x = load_word(job + INPUT) + row * load_word(job + INPUT_STRIDE)
            out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE)
            for at in range(0, 4 * width, 64):
                store(out + at, function(load_floats(x + at)))

    activate.__name__ = activate.__qualname__ = f"activate_{function.__name__}"
    return activate


def gated(function: Callable[[Lanes], Lanes]) -> KernelFunction:
    """The kernel that writes a function of the input, times the second buffer, to the output."""

    def gate(model: int, job: int, first: int, last: int, scratch: int) -> None:
        width = load_word(model + WIDTH)
        for row in range(first, last):
            x = load_word(job + INPUT) + row * load_word(job + INPUT_STRIDE)
            y = load_word(job + SECOND) + row * load_word(job + SECOND_STRIDE)
            out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE)
            for at in range(0, 4 * width, 64):
                store(out + at, multiply(function(load_floats(x + at)), load_floats(y + at)))

    gate.__name__ = gate.__qualname__ = f"gate_{function.__name__}"
    return gate


FUNCTIONS = (silu, gelu_tanh, gelu, relu)
PLAIN = {function.__name__: plain(function) for function in FUNCTIONS}
GATED = {function.__name__: gated(function) for function in FUNCTIONS}


def clamped_gate(model: int, job: int, first: int, last: int, scratch: int) -> None:
    """The gate of gpt-oss: a / (1 + e^-(FACTOR a)) * (b + 1), of a = input up to LIMIT, b = second within +-LIMIT."""
    width, most = load_word(model + WIDTH), floats_of(load_float(model + LIMIT))
    least, factor = subtract(no_floats(), most), floats_of(-load_float(model + FACTOR))
    for row in range(first, last):
        x = load_word(job + INPUT) + row * load_word(job + INPUT_STRIDE)
        y = load_word(job + SECOND) + row * load_word(job + SECOND_STRIDE)
        out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE)
        for at in range(0, 4 * width, 64):
            a, b = smaller(load_floats(x + at), most), larger(smaller(load_floats(y + at), most), least)
            passed = divide(a, add(exponential(multiply(factor, a)), floats_of(ONE)))
            store(out + at, multiply(passed, add(b, floats_of(ONE))))
