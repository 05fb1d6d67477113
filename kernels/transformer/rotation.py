"""Rotation of queries and keys by their positions; keys and values go into their caches."""

from __future__ import annotations

from fourcc.kernels.simd.memory import load_float, load_word, store_float
from fourcc.kernels.transformer.fields import (
    CONTEXT,
    HEAD,
    HEADS,
    INPUT,
    INPUT_STRIDE,
    KEYS,
    KV_HEADS,
    OUTPUT,
    OUTPUT_STRIDE,
    POSITION,
    ROTATION,
    SECOND,
    SECOND_STRIDE,
    TURNED,
    VALUES,
)


def padded_head(head: int) -> int:
    """Columns that a head takes in the cache of values: a whole number of vectors."""
    return (head + 15) >> 4 << 4


def rotate(model: int, job: int, first: int, last: int, scratch: int) -> None:
    """Rotates the queries (output) in place, and the keys (input) into the cache; copies the values (second) into it.

    Pairs are adjacent: (a, b) becomes (a cos - b sin, a sin + b cos). The first TURNED columns of a head are rotated;
    the others, all of them if it is 0, are copied.
    """
    heads, kv_heads, head = load_word(model + HEADS), load_word(model + KV_HEADS), load_word(model + HEAD)
    context, wide, turned = load_word(model + CONTEXT), padded_head(head), load_word(model + TURNED)
    for row in range(first, last):
        position = load_word(load_word(job + POSITION)) + row
        turn = load_word(model + ROTATION) + 4 * turned * position
        q = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE)
        for each in range(heads):
            rotate_head(q + 4 * each * head, turn, turned, q + 4 * each * head, 4)
        k = load_word(job + INPUT) + row * load_word(job + INPUT_STRIDE)
        v = load_word(job + SECOND) + row * load_word(job + SECOND_STRIDE)
        for each in range(kv_heads):
            block = each * context * head + (position >> 4) * 16 * head + (position & 15)
            key = load_word(job + KEYS) + 4 * block
            rotate_head(k + 4 * each * head, turn, turned, key, 64)
            for column in range(turned, head):
                store_float(key + 64 * column, load_float(k + 4 * (each * head + column)))
            out = load_word(job + VALUES) + 4 * (each * context + position) * wide
            for at in range(0, 4 * head, 4):
                store_float(out + at, load_float(v + 4 * each * head + at))


def rotate_head(x: int, turn: int, turned: int, out: int, stride: int) -> None:
    """Rotates the pairs of a head's first columns; results are `stride` bytes apart."""
    for pair in range(turned >> 1):
        a, b = load_float(x + 8 * pair), load_float(x + 8 * pair + 4)
        cosine, sine = load_float(turn + 4 * pair), load_float(turn + 2 * turned + 4 * pair)
        store_float(out + 2 * pair * stride, a * cosine - b * sine)
        store_float(out + (2 * pair + 1) * stride, a * sine + b * cosine)
