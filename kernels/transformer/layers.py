"""What a transformer does beside its matrices, as kernels over activations: norms, rotation, attention, the gate.

Each has the signature of all kernels; rows are activations, or heads of activations. The first descriptor says what the
model is, the second where the activations are. Buffers are rows of float32 with zeros up to a multiple of 512, on cache
lines.
"""

from __future__ import annotations

import numpy as np

from fourcc.kernels.descriptors import WORD
from fourcc.kernels.simd.arithmetic import (
    add,
    divide,
    floats_of,
    multiply,
    multiply_add,
    no_floats,
    subtract,
    sum_floats,
)
from fourcc.kernels.simd.elementary import exponential, root
from fourcc.kernels.simd.memory import load_float, load_floats, load_word, store, store_float

# A job: buffers, each an address and the bytes from one activation to the next.
INPUT, INPUT_STRIDE, SECOND, SECOND_STRIDE, OUTPUT, OUTPUT_STRIDE = (WORD * word for word in range(6))
KEYS, VALUES = 6 * WORD, 7 * WORD  # of a layer: the caches
POSITION = 8 * WORD  # address of the first activation's position
LAYER_WORDS = 9

# A model: sizes, and where its tables are.
WIDTH = 0  # of the buffer at hand
HEADS, KV_HEADS, HEAD, CONTEXT = (WORD * word for word in range(1, 5))  # HEAD: columns of a head
ROTATION = 5 * WORD  # address of float32 (positions, HEAD): half cosines, half sines
WEIGHT = 6 * WORD  # address of a norm's weights, or of a bias; zeros behind it
EPSILON, SCALE = 7 * WORD, 8 * WORD  # float32 in the low half of the word
UNIT, BESIDE, COUNT = (WORD * word for word in range(9, 12))  # of attention: heads and activations together; of all
WINDOW = 12 * WORD  # of attention: positions that an activation sees, its own the last of them
MODEL_WORDS = 13

ONE = np.float32(1)


def add_to(model: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
    """Output + input: the residual stream."""
    width = load_word(model + WIDTH)
    for row in range(first, last):
        x = load_word(job + INPUT) + row * load_word(job + INPUT_STRIDE)
        out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE)
        for at in range(0, 4 * width, 64):
            store(out + at, add(load_floats(out + at), load_floats(x + at)))


def add_bias(model: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
    """Output + weight."""
    width, weight = load_word(model + WIDTH), load_word(model + WEIGHT)
    for row in range(first, last):
        out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE)
        for at in range(0, 4 * width, 64):
            store(out + at, add(load_floats(out + at), load_floats(weight + at)))


def norm(model: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
    """RMSNorm: weight * x / sqrt(mean of x^2 + epsilon)."""
    width, weight = load_word(model + WIDTH), load_word(model + WEIGHT)
    for row in range(first, last):
        x = load_word(job + INPUT) + row * load_word(job + INPUT_STRIDE)
        out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE)
        scale = floats_of(root_mean(x, width, load_float(model + EPSILON)))
        for at in range(0, 4 * width, 64):
            store(out + at, multiply(load_floats(weight + at), multiply(scale, load_floats(x + at))))


def root_mean(x: int, width: int, epsilon: np.float32) -> np.float32:
    """1 / sqrt(mean of x^2 + epsilon); zeros follow x up to a whole vector."""
    total = no_floats()
    for at in range(0, 4 * width, 64):
        total = multiply_add(load_floats(x + at), load_floats(x + at), total)
    mean = sum_floats(total) / np.float32(width) + epsilon
    made: np.float32 = ONE / root(mean)
    return made


def norm_heads(model: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
    """RMSNorm of each head of the output, in place; WIDTH is how many columns all heads have."""
    head, weight = load_word(model + HEAD), load_word(model + WEIGHT)
    for row in range(first, last):
        for each in range(load_word(model + WIDTH) // head):
            out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE) + 4 * each * head
            total = np.float32(0)
            for at in range(0, 4 * head, 4):
                total += load_float(out + at) * load_float(out + at)
            scale = ONE / root(total / np.float32(head) + load_float(model + EPSILON))
            for at in range(0, 4 * head, 4):
                store_float(out + at, load_float(weight + at) * (scale * load_float(out + at)))


def gate(model: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
    """SwiGLU: silu(input) * second, silu(x) = x / (1 + e^-x)."""
    width = load_word(model + WIDTH)
    for row in range(first, last):
        x = load_word(job + INPUT) + row * load_word(job + INPUT_STRIDE)
        y = load_word(job + SECOND) + row * load_word(job + SECOND_STRIDE)
        out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE)
        for at in range(0, 4 * width, 64):
            value = load_floats(x + at)
            below = add(exponential(subtract(no_floats(), value)), floats_of(ONE))
            store(out + at, multiply(divide(value, below), load_floats(y + at)))
