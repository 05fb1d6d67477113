"""Attention: rotated queries over the cached keys and values, with a running softmax.

Keys lie as (kv heads, positions / 16, columns of a head, 16), so that one vector has one column of 16 positions; values
as (kv heads, positions, columns of a head, zeros up to a whole vector). A tile is 64 positions: four chains of sums, as
many as the latency of a multiply-add needs. Queries that share keys (heads of a group, activations in a row) go through
a tile together, while it is in L1; each has a place of its own in scratch memory.

A window ends at an activation's own position. Tiles wholly before it are skipped; in the tile that it begins in, the
first positions do not count. An activation that sees all positions has a window larger than any context, and takes the
same loop.

A head may have a sink: a score without a position, which takes its share of the weights and gives nothing. It is what
the head has seen before the first position. With a soft cap c a score s becomes c tanh(s / c) before the softmax.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

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
from fourcc.kernels.simd.elementary import exponential, first_lanes
from fourcc.kernels.simd.load_wide import load_float_everywhere
from fourcc.kernels.simd.memory import load_float, load_floats, load_word, store, store_float
from fourcc.kernels.simd.partial import store_some_floats
from fourcc.kernels.simd.sigmoids import tanh
from fourcc.kernels.transformer.fields import (
    BESIDE,
    CONTEXT,
    COUNT,
    HEAD,
    HEADS,
    INPUT,
    INPUT_STRIDE,
    KEYS,
    KV_HEADS,
    OUTPUT,
    OUTPUT_STRIDE,
    POSITION,
    SCALE,
    SINKS,
    SOFTCAP,
    UNIT,
    VALUES,
    WINDOW,
)
from fourcc.kernels.transformer.rotation import padded_head

TILE = 64  # positions; the caches have room for a multiple of it
TOGETHER = 8  # queries that go through a tile together, or a few more
LOW = np.float32(-1e30)  # score of a position that does not count
Bound = Callable[[int, int, np.float32], np.float32]  # (model, 64 scores, the largest) -> the largest afterwards
EVERYTHING = 1 << 40  # positions: a window that no context exceeds

# A query's place: weights of a tile, then these float32, then the sums.
MOST, TOTAL, SHRINK = (4 * TILE + 4 * word for word in range(3))
SUMS = 4 * TILE + 64


def place_of(head: int) -> int:
    """Bytes of a query's place in scratch memory."""
    return SUMS + 4 * padded_head(head)


def attend(model: int, job: int, first: int, last: int, scratch: int) -> None:
    """Attention of units first .. last; a unit is some heads that share keys, of some activations.

    With m the largest score so far, the sums are of e^(score - m), and shrink where m grows. So no score is kept, and
    memory does not grow with the context.
    """
    attend_units(model, job, first, last, scratch, unbounded)


def attend_capped(model: int, job: int, first: int, last: int, scratch: int) -> None:
    """As `attend`, of scores that are kept between -SOFTCAP and SOFTCAP.

    It has machine code of its own: with a branch at each tile, `attend` was a hundredth slower.
    """
    attend_units(model, job, first, last, scratch, soften)


def attend_units(model: int, job: int, first: int, last: int, scratch: int, bound: Bound) -> None:
    """Attention of some units, with scores that a function bounds."""
    unit, beside = load_word(model + UNIT), load_word(model + BESIDE)
    units = load_word(model + HEADS) // unit
    for index in range(first, last):
        row, each = index // units * beside, index % units * unit
        attend_unit(model, job, row, min(row + beside, load_word(model + COUNT)), each, scratch, bound)


def attend_unit(model: int, job: int, row: int, end: int, each: int, scratch: int, bound: Bound) -> None:
    """Attention of heads each .. each + UNIT, of activations row .. end."""
    unit, head, context = load_word(model + UNIT), load_word(model + HEAD), load_word(model + CONTEXT)
    size, wide = place_of(head), padded_head(head)
    group = each * load_word(model + KV_HEADS) // load_word(model + HEADS)
    keys = load_word(job + KEYS) + 4 * group * context * head
    values = load_word(job + VALUES) + 4 * group * context * wide
    seen = load_word(load_word(job + POSITION)) + 1  # the end of what activation 0 sees; `start` is its first position
    start = seen - load_word(model + WINDOW)
    for here in range(row, end):
        for member in range(unit):
            clear(scratch + size * (unit * (here - row) + member), wide, load_word(model + SINKS), each + member)
    for tile in range(max(0, start + row) >> 6 << 6, seen + end - 1, 64):
        first, last = max(row, tile - seen + 1), min(end, tile + 64 - start)
        for here in range(first, last):
            place = scratch + size * unit * (here - row)
            q = load_word(job + INPUT) + here * load_word(job + INPUT_STRIDE) + 4 * each * head
            for member in range(unit):
                at, mine, count = keys + 4 * tile * head, place + size * member, seen + here - tile
                look(q + 4 * member * head, at, count, start + here - tile, model, mine, bound)
        for here in range(first, last):
            place = scratch + size * unit * (here - row)
            for member in range(unit):
                mix(values + 4 * tile * wide, wide, place + size * member)
    for here in range(row, end):
        place = scratch + size * unit * (here - row)
        out = load_word(job + OUTPUT) + here * load_word(job + OUTPUT_STRIDE) + 4 * each * head
        for member in range(unit):
            finish(place + size * member, head, out + 4 * member * head)


def clear(place: int, wide: int, sinks: int, head: int) -> None:
    """Clears a query's place: it has seen nothing yet but the sink of its head, where there are some."""
    store_float(place + MOST, load_float(sinks + 4 * head) if sinks else LOW)
    store_float(place + TOTAL, np.float32(1) if sinks else np.float32(0))
    for column in range(0, wide, 16):
        store(place + SUMS + 4 * column, no_floats())


def look(q: int, k: int, count: int, skip: int, model: int, place: int, bound: Bound) -> None:
    """Computes the weights of a tile's positions; those from `skip` to `count` count. The total shrinks by SHRINK."""
    before, head = load_float(place + MOST), load_word(model + HEAD)
    most = bound(model, place, score(q, k, count, head, load_float(model + SCALE), place))
    if skip > 0:
        most = pass_over(place, skip)
    top = max(before, most)
    shrink = largest(exponential(floats_of(before - top)))
    store_float(place + MOST, top)
    store_float(place + SHRINK, shrink)
    store_float(place + TOTAL, load_float(place + TOTAL) * shrink + weigh(place, top, count))
    for lane in range(0, 4 * skip, 4):  # their weights were next to nothing: e^-87
        store_float(place + lane, np.float32(0))


def unbounded(model: int, scores: int, most: np.float32) -> np.float32:
    """Leaves 64 scores as they are; returns the largest, which is `most`."""
    return most


def soften(model: int, scores: int, most: np.float32) -> np.float32:
    """Replaces 64 scores by c tanh(score / c); returns the largest. LOW becomes -c, and no score is smaller."""
    cap, top = floats_of(load_float(model + SOFTCAP)), floats_of(LOW)
    for at in range(scores, scores + 256, 64):
        softened = multiply(cap, tanh(divide(load_floats(at), cap)))
        store(at, softened)
        top = larger(top, softened)
    highest: np.float32 = largest(top)
    return highest


def pass_over(scores: int, skip: int) -> np.float32:
    """Sets the first `skip` of 64 scores to LOW, so that they do not count; returns the largest of the others."""
    for lane in range(0, 4 * skip, 4):
        store_float(scores + lane, LOW)
    low = larger(load_floats(scores), load_floats(scores + 64))
    high = larger(load_floats(scores + 128), load_floats(scores + 192))
    most: np.float32 = largest(larger(low, high))
    return most


def finish(place: int, head: int, out: int) -> None:
    """Divides the sums of the weighted values by the sum of the weights."""
    total = load_float_everywhere(place + TOTAL)
    for column in range(0, head, 16):
        mean = divide(load_floats(place + SUMS + 4 * column), total)
        store_some_floats(out + 4 * column, mean, min(16, head - column))


def score(q: int, k: int, count: int, head: int, scale: np.float32, out: int) -> np.float32:
    """Writes the scores of 64 positions, of which the first `count` count, to `out`; returns the largest."""
    block = 64 * head
    a, b, c, d = no_floats(), no_floats(), no_floats(), no_floats()
    for column in range(head):
        x = load_float_everywhere(q + 4 * column)
        at = k + 64 * column
        a = multiply_add(x, load_floats(at), a)
        b = multiply_add(x, load_floats(at + block), b)
        c = multiply_add(x, load_floats(at + 2 * block), c)
        d = multiply_add(x, load_floats(at + 3 * block), d)
    a = first_lanes(multiply(a, floats_of(scale)), count, LOW)
    b = first_lanes(multiply(b, floats_of(scale)), count - 16, LOW)
    c = first_lanes(multiply(c, floats_of(scale)), count - 32, LOW)
    d = first_lanes(multiply(d, floats_of(scale)), count - 48, LOW)
    store(out, a)
    store(out + 64, b)
    store(out + 128, c)
    store(out + 192, d)
    most: np.float32 = largest(larger(larger(a, b), larger(c, d)))
    return most


def weigh(scores: int, top: np.float32, count: int) -> np.float32:
    """Replaces the scores of 64 positions by their weights, e^(score - top); returns the weights' sum."""
    total = no_floats()
    for lane in range(0, 64, 16):
        weights = exponential(subtract(load_floats(scores + 4 * lane), floats_of(top)))
        weights = first_lanes(weights, count - lane, np.float32(0))
        store(scores + 4 * lane, weights)
        total = add(total, weights)
    summed: np.float32 = sum_floats(total)
    return summed


def mix(v: int, wide: int, place: int) -> None:
    """Shrinks the sums, and adds a tile's values times their weights; four vectors of columns together."""
    stride, shrink = 4 * wide, load_float_everywhere(place + SHRINK)
    for column in range(0, wide - 63, 64):
        at = place + SUMS + 4 * column
        a = multiply(load_floats(at), shrink)
        b = multiply(load_floats(at + 64), shrink)
        c = multiply(load_floats(at + 128), shrink)
        d = multiply(load_floats(at + 192), shrink)
        for position in range(64):
            weight = load_float_everywhere(place + 4 * position)
            p = v + 4 * column + position * stride
            a = multiply_add(weight, load_floats(p), a)
            b = multiply_add(weight, load_floats(p + 64), b)
            c = multiply_add(weight, load_floats(p + 128), c)
            d = multiply_add(weight, load_floats(p + 192), d)
        store(at, a)
        store(at + 64, b)
        store(at + 128, c)
        store(at + 192, d)
    for column in range(wide & -64, wide, 16):
        at = place + SUMS + 4 * column
        some = multiply(load_floats(at), shrink)
        for position in range(64):
            weight = load_float_everywhere(place + 4 * position)
            some = multiply_add(weight, load_floats(v + 4 * column + position * stride), some)
        store(at, some)
