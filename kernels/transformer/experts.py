"""Mixtures of experts beside their products: which experts an activation goes to, and what comes of their results.

The router's scores choose the experts (`choose`). Each (activation, expert) pair gets a place, expert by expert
(`order`; `fourcc.kernels.descriptors.ROUTING` describes the tables); activations are copied to their places (`spread`),
multiplied by their expert's matrices (`fourcc.kernels.products.grouped`), and what the experts of an activation give is
added up by their shares (`combine`).
"""

from __future__ import annotations

import numpy as np

from fourcc.kernels.descriptors import COPY, ROUTING
from fourcc.kernels.simd.arithmetic import add, divide, floats_of, multiply, no_floats, subtract, sum_floats
from fourcc.kernels.simd.elementary import exponential, first_lanes
from fourcc.kernels.simd.memory import load_float, load_floats, load_word, store, store_float, store_word
from fourcc.kernels.transformer.fields import (
    INPUT,
    INPUT_STRIDE,
    OUTPUT,
    OUTPUT_STRIDE,
    SECOND,
    SECOND_STRIDE,
    WIDTH,
)

EXPERTS, USED, CHOICES = ROUTING.offset("experts"), ROUTING.offset("used"), ROUTING.offset("count")
IS_NORMALIZED = ROUTING.offset("is_normalized")
SCORES, SCORES_STRIDE = ROUTING.offset("scores"), ROUTING.offset("scores_stride")
SHARES, SHARES_STRIDE = ROUTING.offset("shares"), ROUTING.offset("shares_stride")
CHOSEN, PLACES = ROUTING.offset("chosen"), ROUTING.offset("places")
SOURCES, OWNERS = ROUTING.offset("sources"), ROUTING.offset("owners")
GROUPS, STARTS, COUNTS, ACTIVE = (ROUTING.offset(name) for name in ("groups", "starts", "counts", "active"))
FROM, FROM_STRIDE = COPY.offset("input"), COPY.offset("input_stride")
TO, TO_STRIDE, SIZE = COPY.offset("output"), COPY.offset("output_stride"), COPY.offset("size")

NOTHING, ONE = np.float32(0), np.float32(1)
LINE = 64


def choose(routing: int, job: int, first: int, last: int, scratch: int) -> None:
    """The experts of activations first .. last, and their shares.

    The experts of the highest scores, the first of equals, in the order of their scores. Shares are the softmax of the
    scores: of all, or, where they are normalized, of those that were chosen, which is the same as the softmax of all,
    divided by the sum of the chosen.
    """
    experts, used = load_word(routing + EXPERTS), load_word(routing + USED)
    for row in range(first, last):
        scores = load_word(routing + SCORES) + row * load_word(routing + SCORES_STRIDE)
        shares = load_word(routing + SHARES) + row * load_word(routing + SHARES_STRIDE)
        _best(scores, experts, used, shares, load_word(routing + CHOSEN) + 8 * row * used)
        most = load_float(shares)
        if load_word(routing + IS_NORMALIZED):
            _divide_powers(shares, used, most, _sum_of_powers(shares, used, most))
        else:
            _divide_powers(shares, used, most, _sum_of_powers(scores, experts, most))


def _best(scores: int, experts: int, used: int, best: int, chosen: int) -> None:
    """Writes the highest scores and their experts, by insertion. A NaN is neither higher nor lower than anything."""
    found = 0
    for expert in range(experts):
        score = load_float(scores + 4 * expert)
        if found < used or score > load_float(best + 4 * (used - 1)):
            at = min(found, used - 1)
            while at > 0 and score > load_float(best + 4 * (at - 1)):
                store_float(best + 4 * at, load_float(best + 4 * (at - 1)))
                store_word(chosen + 8 * at, load_word(chosen + 8 * (at - 1)))
                at -= 1
            store_float(best + 4 * at, score)
            store_word(chosen + 8 * at, expert)
            found = min(found + 1, used)


def _sum_of_powers(scores: int, count: int, most: np.float32) -> np.float32:
    """The sum of e^(score - most) over some scores; whole vectors of them may be read."""
    total, top = no_floats(), floats_of(most)
    for lane in range(0, count, 16):
        powers = exponential(subtract(load_floats(scores + 4 * lane), top))
        total = add(total, first_lanes(powers, count - lane, NOTHING))
    whole: np.float32 = sum_floats(total)
    return whole


def _divide_powers(scores: int, count: int, most: np.float32, total: np.float32) -> None:
    """e^(score - most) / total, in place."""
    for lane in range(0, count, 16):
        powers = exponential(subtract(load_floats(scores + 4 * lane), floats_of(most)))
        store(scores + 4 * lane, divide(powers, floats_of(total)))


def order(routing: int, job: int, first: int, last: int, scratch: int) -> None:
    """Gives each (activation, expert) pair its place, and lists the groups; the step has one row."""
    chosen, places = load_word(routing + CHOSEN), load_word(routing + PLACES)
    sources, owners = load_word(routing + SOURCES), load_word(routing + OWNERS)
    counts, used = load_word(routing + COUNTS), load_word(routing + USED)
    pairs = 8 * used * load_word(routing + CHOICES)
    for at in range(counts, counts + 8 * load_word(routing + EXPERTS), 8):
        store_word(at, 0)
    for at in range(0, pairs, 8):
        own = counts + 8 * load_word(chosen + at)
        store_word(own, load_word(own) + 1)
    _list_groups(routing, counts)
    for pair in range(pairs >> 3):
        expert = load_word(chosen + 8 * pair)
        place = load_word(counts + 8 * expert)
        store_word(counts + 8 * expert, place + 1)
        store_word(places + 8 * pair, place)
        store_word(sources + 8 * place, pair // used)
        store_word(owners + 8 * place, expert)


def _list_groups(routing: int, counts: int) -> None:
    """Lists the experts that have activations, and makes the counts the first place of each."""
    groups, starts = load_word(routing + GROUPS), load_word(routing + STARTS)
    group, place = 0, 0
    for expert in range(load_word(routing + EXPERTS)):
        own = load_word(counts + 8 * expert)
        store_word(counts + 8 * expert, place)
        if own:
            store_word(groups + 8 * group, expert)
            store_word(starts + 8 * group, place)
            group += 1
            place += own
    store_word(starts + 8 * group, place)
    store_word(routing + ACTIVE, group)


def spread(routing: int, job: int, first: int, last: int, scratch: int) -> None:
    """Copies what belongs to an activation to places first .. last; the job is a COPY of whole cache lines."""
    size, sources = load_word(job + SIZE), load_word(routing + SOURCES)
    for place in range(first, last):
        p = load_word(job + FROM) + load_word(sources + 8 * place) * load_word(job + FROM_STRIDE)
        q = load_word(job + TO) + place * load_word(job + TO_STRIDE)
        for at in range(0, size, LINE):
            store(q + at, load_floats(p + at))


def add_bias_of_owner(routing: int, job: int, first: int, last: int, scratch: int) -> None:
    """The job's output + the bias of the expert, into the output, at places first .. last; a COPY from the biases."""
    size, owners = load_word(job + SIZE), load_word(routing + OWNERS)
    for place in range(first, last):
        bias = load_word(job + FROM) + load_word(owners + 8 * place) * load_word(job + FROM_STRIDE)
        out = load_word(job + TO) + place * load_word(job + TO_STRIDE)
        for at in range(0, size, LINE):
            store(out + at, add(load_floats(out + at), load_floats(bias + at)))


def combine(routing: int, job: int, first: int, last: int, scratch: int) -> None:
    """Sums what the experts of activations first .. last gave, times their shares, in the order of their scores."""
    size, used = load_word(job + SIZE), load_word(routing + USED)
    given, stride = load_word(job + FROM), load_word(job + FROM_STRIDE)
    for row in range(first, last):
        places = load_word(routing + PLACES) + 8 * row * used
        shares = load_word(routing + SHARES) + row * load_word(routing + SHARES_STRIDE)
        out = load_word(job + TO) + row * load_word(job + TO_STRIDE)
        for at in range(0, size, LINE):
            total = no_floats()
            for each in range(used):
                value = load_floats(given + load_word(places + 8 * each) * stride + at)
                total = add(total, multiply(floats_of(load_float(shares + 4 * each)), value))
            store(out + at, total)


def add_by_sigmoid(model: int, job: int, first: int, last: int, scratch: int) -> None:
    """output + sigmoid(second's first column) * input, into output: an expert that all activations share."""
    width = load_word(model + WIDTH)
    for row in range(first, last):
        x = load_word(job + INPUT) + row * load_word(job + INPUT_STRIDE)
        out = load_word(job + OUTPUT) + row * load_word(job + OUTPUT_STRIDE)
        score = load_float(load_word(job + SECOND) + row * load_word(job + SECOND_STRIDE))
        share = divide(floats_of(ONE), add(floats_of(ONE), exponential(floats_of(-score))))
        for at in range(0, 4 * width, LINE):
            store(out + at, add(load_floats(out + at), multiply(share, load_floats(x + at))))
