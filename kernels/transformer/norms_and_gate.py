"""A transformer's operations beside its matrices, as kernels over activations: sums, norms, the gate.

Each has the signature of all kernels; rows are activations. The first descriptor (`fourcc.kernels.descriptors.MODEL`)
says what the model is, the second (`LAYER_JOB`) where the activations are. Buffers are rows of float32 with zeros up to
a multiple of 512, on cache lines.
"""

from __future__ import annotations

import numpy as np

from fourcc.kernels.descriptors import LAYER_JOB, MODEL
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

INPUT, INPUT_STRIDE = LAYER_JOB.offset("input"), LAYER_JOB.offset("input_stride")
SECOND, SECOND_STRIDE = LAYER_JOB.offset("second"), LAYER_JOB.offset("second_stride")
OUTPUT, OUTPUT_STRIDE = LAYER_JOB.offset("output"), LAYER_JOB.offset("output_stride")
KEYS, VALUES, POSITION = LAYER_JOB.offset("keys"), LAYER_JOB.offset("values"), LAYER_JOB.offset("position")

WIDTH, HEADS, KV_HEADS = MODEL.offset("width"), MODEL.offset("heads"), MODEL.offset("kv_heads")
HEAD, CONTEXT, ROTATION = MODEL.offset("head"), MODEL.offset("context"), MODEL.offset("rotation")
WEIGHT, EPSILON, SCALE = MODEL.offset("weight"), MODEL.offset("epsilon"), MODEL.offset("scale")
UNIT, BESIDE, COUNT = MODEL.offset("unit"), MODEL.offset("beside"), MODEL.offset("count")
WINDOW = MODEL.offset("window")

ONE = np.float32(1)


def add_to(model: int, job: int, first: int, last: int, scratch: int) -> None:
    """output + input, into output: the residual stream."""
    width = load_word(model + WIDTH)
    for row in range(first, last):
        x = load_word(job + INPUT) + row * load_word(job + INPUT_STRIDE)
        out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE)
        for at in range(0, 4 * width, 64):
            store(out + at, add(load_floats(out + at), load_floats(x + at)))


def add_bias(model: int, job: int, first: int, last: int, scratch: int) -> None:
    """output + weight, into output."""
    width, weight = load_word(model + WIDTH), load_word(model + WEIGHT)
    for row in range(first, last):
        out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE)
        for at in range(0, 4 * width, 64):
            store(out + at, add(load_floats(out + at), load_floats(weight + at)))


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


def norm_heads(model: int, job: int, first: int, last: int, scratch: int) -> None:
    """RMSNorm of each head of the output, in place; WIDTH is the number of columns of all heads together."""
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


def gate(model: int, job: int, first: int, last: int, scratch: int) -> None:
    """SwiGLU: silu(input) * second, silu(x) = x / (1 + e^-x)."""
    width = load_word(model + WIDTH)
    for row in range(first, last):
        x = load_word(job + INPUT) + row * load_word(job + INPUT_STRIDE)
        y = load_word(job + SECOND) + row * load_word(job + SECOND_STRIDE)
        out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE)
        for at in range(0, 4 * width, 64):
            value = load_floats(x + at)
            denominator = add(exponential(subtract(no_floats(), value)), floats_of(ONE))
            store(out + at, multiply(divide(value, denominator), load_floats(y + at)))
