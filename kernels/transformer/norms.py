"""Norms: of a whole activation or of each of its heads, by the root of the mean square or by the standard deviation."""

from __future__ import annotations

import numpy as np

from fourcc.kernels.simd.arithmetic import (
    add,
    floats_of,
    multiply,
    multiply_add,
    no_floats,
    subtract,
    sum_floats,
)
from fourcc.kernels.simd.elementary import first_lanes, root
from fourcc.kernels.simd.memory import load_float, load_floats, load_word, store
from fourcc.kernels.simd.partial import load_some_floats, store_some_floats
from fourcc.kernels.transformer.fields import (
    BIAS,
    EPSILON,
    HEAD,
    INPUT,
    INPUT_STRIDE,
    OUTPUT,
    OUTPUT_STRIDE,
    WEIGHT,
    WEIGHT_STRIDE,
    WIDTH,
)

ONE, ZERO = np.float32(1), np.float32(0)


def norm(model: int, job: int, first: int, last: int, scratch: int) -> None:
    """RMSNorm: weight * x / sqrt(mean of x^2 + epsilon)."""
    width, weight = load_word(model + WIDTH), load_word(model + WEIGHT)
    for row in range(first, last):
        x = load_word(job + INPUT) + row * load_word(job + INPUT_STRIDE)
        out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE)
        scale = floats_of(root_mean(x, width, load_float(model + EPSILON)))
        for at in range(0, 4 * width, 64):
            store(out + at, multiply(load_floats(weight + at), multiply(scale, load_floats(x + at))))


def root_mean(x: int, width: int, epsilon: np.float32) -> np.float32:
    """1 / sqrt(mean of x^2 + epsilon); x is padded with zeros to a whole vector."""
    total = no_floats()
    for at in range(0, 4 * width, 64):
        total = multiply_add(load_floats(x + at), load_floats(x + at), total)
    mean = sum_floats(total) / np.float32(width) + epsilon
    inverse: np.float32 = ONE / root(mean)
    return inverse


def layer_norm(model: int, job: int, first: int, last: int, scratch: int) -> None:
    """LayerNorm: weight * (x - mean) / sqrt(variance + epsilon) + bias; zeros follow the weights and the bias."""
    width, weight, bias = load_word(model + WIDTH), load_word(model + WEIGHT), load_word(model + BIAS)
    for row in range(first, last):
        x = load_word(job + INPUT) + row * load_word(job + INPUT_STRIDE)
        out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE)
        mean = mean_of(x, width)
        scale = floats_of(root_deviation(x, width, mean, load_float(model + EPSILON)))
        for at in range(0, 4 * width, 64):
            normed = multiply(scale, subtract(load_floats(x + at), floats_of(mean)))
            store(out + at, add(multiply(load_floats(weight + at), normed), load_floats(bias + at)))


def mean_of(x: int, width: int) -> np.float32:
    """The mean of numbers that are padded with zeros to a whole vector."""
    total = no_floats()
    for at in range(0, 4 * width, 64):
        total = add(load_floats(x + at), total)
    mean: np.float32 = sum_floats(total) / np.float32(width)
    return mean


def root_deviation(x: int, width: int, mean: np.float32, epsilon: np.float32) -> np.float32:
    """1 / sqrt(mean of (x - mean)^2 + epsilon); what lies behind x does not count."""
    total = no_floats()
    for lane in range(0, width, 16):
        away = first_lanes(subtract(load_floats(x + 4 * lane), floats_of(mean)), width - lane, ZERO)
        total = multiply_add(away, away, total)
    inverse: np.float32 = ONE / root(sum_floats(total) / np.float32(width) + epsilon)
    return inverse


# -- of heads: they lie one behind the other, with nothing in between


def norm_heads(model: int, job: int, first: int, last: int, scratch: int) -> None:
    """RMSNorm of each head of the output, in place; WIDTH is the number of columns of all heads together.

    The weights of one head and of the next are WEIGHT_STRIDE bytes apart; 0: all heads have the same.
    """
    head, stride = load_word(model + HEAD), load_word(model + WEIGHT_STRIDE)
    for row in range(first, last):
        for each in range(load_word(model + WIDTH) // head):
            x = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE) + 4 * each * head
            scale = ONE / root(deviation(x, head, ZERO) + load_float(model + EPSILON))
            weigh_head(x, head, ZERO, scale, load_word(model + WEIGHT) + each * stride)


def layer_norm_heads(model: int, job: int, first: int, last: int, scratch: int) -> None:
    """LayerNorm without a bias of each head of the output, in place; else as `norm_heads`."""
    head, stride = load_word(model + HEAD), load_word(model + WEIGHT_STRIDE)
    for row in range(first, last):
        for each in range(load_word(model + WIDTH) // head):
            x = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE) + 4 * each * head
            mean = mean_of_head(x, head)
            scale = ONE / root(deviation(x, head, mean) + load_float(model + EPSILON))
            weigh_head(x, head, mean, scale, load_word(model + WEIGHT) + each * stride)


def mean_of_head(x: int, head: int) -> np.float32:
    """The mean of a head's numbers."""
    total, whole = no_floats(), head & -16
    for at in range(0, 4 * whole, 64):
        total = add(load_floats(x + at), total)
    if head > whole:
        total = add(load_some_floats(x + 4 * whole, head - whole), total)
    mean: np.float32 = sum_floats(total) / np.float32(head)
    return mean


def deviation(x: int, head: int, mean: np.float32) -> np.float32:
    """The mean of (x - mean)^2 of a head's numbers."""
    total, whole = no_floats(), head & -16
    for at in range(0, 4 * whole, 64):
        away = subtract(load_floats(x + at), floats_of(mean))
        total = multiply_add(away, away, total)
    if head > whole:
        away = subtract(load_some_floats(x + 4 * whole, head - whole), floats_of(mean))
        away = first_lanes(away, head - whole, ZERO)
        total = multiply_add(away, away, total)
    squared: np.float32 = sum_floats(total) / np.float32(head)
    return squared


def weigh_head(x: int, head: int, mean: np.float32, scale: np.float32, weight: int) -> None:
    """Replaces a head's numbers by weight * (x - mean) * scale."""
    whole = head & -16
    for at in range(0, 4 * whole, 64):
        normed = multiply(floats_of(scale), subtract(load_floats(x + at), floats_of(mean)))
        store(x + at, multiply(load_floats(weight + at), normed))
    if head > whole:
        at = 4 * whole
        normed = multiply(floats_of(scale), subtract(load_some_floats(x + at, head - whole), floats_of(mean)))
        store_some_floats(x + at, multiply(load_some_floats(weight + at, head - whole), normed), head - whole)
