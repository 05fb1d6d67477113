"""What a transformer does beside its matrices, as kernels over activations: norms, rotation, attention, the gate.

Each has the signature of all kernels; rows are activations, or heads of activations. The first descriptor says what the
model is, the second where the activations are. Buffers are rows of float32 with zeros up to a multiple of 512, on cache
lines.
"""

from __future__ import annotations

import numpy as np

from fourcc.kernels.operands import WORD
from fourcc.kernels.simd.arithmetic import (
    add,
    divide,
    floats_of,
    larger,
    largest,
    multiply,
    multiply_add,
    no_floats,
    subtract,
    sum_floats,
)
from fourcc.kernels.simd.functions import exponential, first_lanes, root
from fourcc.kernels.simd.memory import load_float, load_floats, load_word, store, store_float
from fourcc.kernels.simd.partial import store_some_floats
from fourcc.kernels.simd.widening import load_float_everywhere

# A job: buffers, each an address and the bytes from one activation to the next.
INPUT, INPUT_STEP, SECOND, SECOND_STEP, OUTPUT, OUTPUT_STEP = (WORD * word for word in range(6))
KEYS, VALUES = 6 * WORD, 7 * WORD  # of a layer: the caches
POSITION = 8 * WORD  # address of the first activation's position
LAYER_WORDS = 9

# A model: sizes, and where its tables are.
WIDTH = 0  # of the buffer at hand
HEADS, KV_HEADS, HEAD, CONTEXT = (WORD * word for word in range(1, 5))  # HEAD: columns of a head
ROTATION = 5 * WORD  # address of float32 (positions, HEAD): half cosines, half sines
WEIGHT = 6 * WORD  # address of a norm's weights, or of a bias; zeros behind it
EPSILON, SCALE = 7 * WORD, 8 * WORD  # float32 in the low half of the word
MODEL_WORDS = 9

LOW = np.float32(-1e30)  # score of a position that does not count
ONE = np.float32(1)


def padded_head(head: int) -> int:
    """Columns that a head takes in the cache of values: a whole number of vectors."""
    return (head + 15) >> 4 << 4


def add_to(model: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
    """Output + input: the residual stream."""
    width = load_word(model + WIDTH)
    for row in range(first, last):
        x = load_word(job + INPUT) + row * load_word(job + INPUT_STEP)
        out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STEP)
        for at in range(0, 4 * width, 64):
            store(out + at, add(load_floats(out + at), load_floats(x + at)))


def add_bias(model: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
    """Output + weight."""
    width, weight = load_word(model + WIDTH), load_word(model + WEIGHT)
    for row in range(first, last):
        out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STEP)
        for at in range(0, 4 * width, 64):
            store(out + at, add(load_floats(out + at), load_floats(weight + at)))


def norm(model: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
    """RMSNorm: weight * x / sqrt(mean of x^2 + epsilon)."""
    width, weight = load_word(model + WIDTH), load_word(model + WEIGHT)
    for row in range(first, last):
        x = load_word(job + INPUT) + row * load_word(job + INPUT_STEP)
        out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STEP)
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
            out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STEP) + 4 * each * head
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
        x = load_word(job + INPUT) + row * load_word(job + INPUT_STEP)
        y = load_word(job + SECOND) + row * load_word(job + SECOND_STEP)
        out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STEP)
        for at in range(0, 4 * width, 64):
            value = load_floats(x + at)
            below = add(exponential(subtract(no_floats(), value)), floats_of(ONE))
            store(out + at, multiply(divide(value, below), load_floats(y + at)))


# -- attention


def rotate(model: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
    """Rotates the queries (output) in place and the keys (input) into the cache; copies the values (second) there.

    Pairs are adjacent: (a, b) becomes (a cos - b sin, a sin + b cos). Keys lie as (kv heads, positions / 16, head, 16),
    so that one vector has one column of 16 positions; values as (kv heads, positions, head).
    """
    heads, kv_heads, head = load_word(model + HEADS), load_word(model + KV_HEADS), load_word(model + HEAD)
    context, wide = load_word(model + CONTEXT), padded_head(load_word(model + HEAD))
    for row in range(first, last):
        position = load_word(load_word(job + POSITION)) + row
        turn = load_word(model + ROTATION) + 4 * head * position
        q = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STEP)
        for each in range(heads):
            rotate_head(q + 4 * each * head, turn, head, q + 4 * each * head, 4)
        k = load_word(job + INPUT) + row * load_word(job + INPUT_STEP)
        v = load_word(job + SECOND) + row * load_word(job + SECOND_STEP)
        for each in range(kv_heads):
            block = each * context * head + (position >> 4) * 16 * head + (position & 15)
            rotate_head(k + 4 * each * head, turn, head, load_word(job + KEYS) + 4 * block, 64)
            out = load_word(job + VALUES) + 4 * (each * context + position) * wide
            for at in range(0, 4 * head, 4):
                store_float(out + at, load_float(v + 4 * each * head + at))


def rotate_head(x: int, turn: int, head: int, out: int, step: int) -> None:
    """Rotates the pairs of a head; results are `step` bytes apart."""
    for pair in range(head >> 1):
        a, b = load_float(x + 8 * pair), load_float(x + 8 * pair + 4)
        cosine, sine = load_float(turn + 4 * pair), load_float(turn + 2 * head + 4 * pair)
        store_float(out + 2 * pair * step, a * cosine - b * sine)
        store_float(out + (2 * pair + 1) * step, a * sine + b * cosine)


def attend(model: int, job: int, first: int, last: int, scratch: int) -> None:
    """Attention of heads first .. last, counted over all activations, with a running softmax.

    Sixteen positions are looked at together. With m the largest score so far, what is summed is e^(score - m); where m
    grows, what was summed shrinks. So no score is kept, and memory does not grow with the context.
    """
    heads, head = load_word(model + HEADS), load_word(model + HEAD)
    wide, context = padded_head(head), load_word(model + CONTEXT)
    group = heads // load_word(model + KV_HEADS)
    for index in range(first, last):
        row, each = index // heads, index % heads
        seen = load_word(load_word(job + POSITION)) + row + 1
        q = load_word(job + INPUT) + row * load_word(job + INPUT_STEP) + 4 * each * head
        keys = load_word(job + KEYS) + 4 * (each // group) * context * head
        values = load_word(job + VALUES) + 4 * (each // group) * context * wide
        total = attend_one(q, keys, values, seen, head, load_float(model + SCALE), scratch)
        out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STEP) + 4 * each * head
        for column in range(0, head, 16):
            made = divide(load_floats(scratch + 64 + 4 * column), floats_of(total))
            store_some_floats(out + 4 * column, made, min(16, head - column))


def attend_one(q: int, keys: int, values: int, seen: int, head: int, scale: np.float32, scratch: int) -> np.float32:
    """One head of one activation: the sum of weighted values lies 64 bytes into scratch; returns that of weights."""
    wide = padded_head(head)
    for column in range(0, wide, 16):
        store(scratch + 64 + 4 * column, no_floats())
    most, total = LOW, np.float32(0)
    for first in range(0, seen, 16):
        even, odd = no_floats(), no_floats()
        k = keys + 4 * first * head
        for column in range(0, head, 2):
            even = multiply_add(load_float_everywhere(q + 4 * column), load_floats(k + 64 * column), even)
            odd = multiply_add(load_float_everywhere(q + 4 * column + 4), load_floats(k + 64 * column + 64), odd)
        scores = first_lanes(multiply(add(even, odd), floats_of(scale)), seen - first, LOW)
        top = floats_of(largest(larger(scores, floats_of(most))))
        shrink = exponential(subtract(floats_of(most), top))
        weights = first_lanes(exponential(subtract(scores, top)), seen - first, np.float32(0))
        most, total = largest(top), total * largest(shrink) + sum_floats(weights)
        store(scratch, weights)
        for column in range(0, wide, 16):
            made = multiply(load_floats(scratch + 64 + 4 * column), shrink)
            v = values + 4 * (first * wide + column)
            for lane in range(16):
                made = multiply_add(load_float_everywhere(scratch + 4 * lane), load_floats(v + 4 * lane * wide), made)
            store(scratch + 64 + 4 * column, made)
    return total
