"""Codes chosen column by column with error feedback: the bits of `fourcc.feedback.columns.codes_by_column`.

A lane is a row of the matrix, and eight rows are a group. For eight columns at a time, the errors of all columns before
them are taken off in registers; then the eight take turns. So a piece of U serves all groups while it is in the cache.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import DescriptorLayout
from fourcc.kernels.simd.arithmetic import absolute, add, divide, doubles_of, multiply, subtract
from fourcc.kernels.simd.double_tiles import less_products, load_double_columns
from fourcc.kernels.simd.float64 import load_floats_as_doubles, rounded_doubles, where_less_doubles
from fourcc.kernels.simd.interpreted import Lanes
from fourcc.kernels.simd.memory import VECTOR, load_double, load_doubles, load_word, store
from fourcc.kernels.simd.tiles import store_columns

EIGHT = 8  # rows of a group, and columns that are worked on together
SCRATCH = EIGHT * VECTOR  # bytes of scratch memory
ZERO, INFINITY = np.float64(0), np.float64(np.inf)
COLUMNS = DescriptorLayout(
    "size",  # columns, a multiple of 8
    *("upper", "pitch"),  # address of U, float64 (size, size); bytes from one row to the next
    "weights",  # address of float64 (groups, size, 8), which become errors: decoded minus original
    "levels",  # address of float32 (groups, size, count, 8); float64 (groups, size, 3, 8) for steps, (…, 1, 8) if given
    "count",  # levels of a weight
    "codes",  # address of float64 (groups, size, 8)
)
SIZE, UPPER, PITCH = COLUMNS.offset("size"), COLUMNS.offset("upper"), COLUMNS.offset("pitch")
WEIGHTS, LEVELS, COUNT = COLUMNS.offset("weights"), COLUMNS.offset("levels"), COLUMNS.offset("count")
CODES = COLUMNS.offset("codes")

Nearest = Callable[[Lanes, int, int, int], Lanes]  # (target, levels, count, code) -> the nearest level; stores its code


def nearest_of_table(target: Lanes, levels: int, count: int, code: int) -> Lanes:
    """The nearest of `count` levels, the first of equal ones."""
    best, number = doubles_of(INFINITY), doubles_of(ZERO)
    level: Lanes = load_floats_as_doubles(levels)
    for each in range(count):
        tried = load_floats_as_doubles(levels + VECTOR // 2 * each)
        distance = absolute(subtract(tried, target))
        number = where_less_doubles(distance, best, doubles_of(np.float64(each)), number)
        level = where_less_doubles(distance, best, tried, level)
        best = where_less_doubles(distance, best, distance, best)
    store(code, number)
    return level


def nearest_of_steps(target: Lanes, levels: int, count: int, code: int) -> Lanes:
    """The nearest of `count` even levels, whose first, step and divisor are stored."""
    first, zero, top = load_doubles(levels), doubles_of(ZERO), doubles_of(np.float64(count - 1))
    number = rounded_doubles(divide(subtract(target, first), load_doubles(levels + 2 * VECTOR)))
    number = where_less_doubles(zero, number, number, zero)
    number = where_less_doubles(number, top, number, top)
    store(code, number)
    level: Lanes = add(first, multiply(load_doubles(levels + VECTOR), number))
    return level


def given_level(target: Lanes, levels: int, count: int, code: int) -> Lanes:
    """The one level that there is, of doubles; stores its distance from the target in place of a code."""
    level: Lanes = load_doubles(levels)
    store(code, subtract(level, target))
    return level


def _chooser(nearest: Nearest, width: int) -> KernelFunction:
    """The kernel that chooses among levels of one kind, `width` bytes for each of a group's; 0: 3 vectors for all."""

    def choose(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        size, count = load_word(weights + SIZE), load_word(weights + COUNT)
        upper, pitch = load_word(weights + UPPER), load_word(weights + PITCH)
        stride = width * count if width else 3 * VECTOR
        for left in range(0, size, EIGHT):
            for group in range(first, last):
                at = group * size
                errors = load_word(weights + WEIGHTS) + VECTOR * at
                levels, codes = load_word(weights + LEVELS) + stride * at, load_word(weights + CODES) + VECTOR * at
                take_off(errors, upper, pitch, left, scratch)
                for k in range(left, left + EIGHT):
                    target = load_doubles(scratch + VECTOR * (k - left))
                    for j in range(left, k):
                        share = doubles_of(load_double(upper + pitch * j + 8 * k))
                        target = subtract(target, multiply(load_doubles(errors + VECTOR * j), share))
                    level = nearest(target, levels + stride * k, count, codes + VECTOR * k)
                    store(errors + VECTOR * k, subtract(level, load_doubles(errors + VECTOR * k)))

    return choose


def take_off(errors: int, upper: int, pitch: int, left: int, scratch: int) -> None:
    """Stores the eight columns from `left` on, less the errors of all columns before them times their shares."""
    totals = load_double_columns(errors + VECTOR * left, VECTOR)
    for j in range(left):
        totals = less_products(totals, load_doubles(errors + VECTOR * j), upper + pitch * j + 8 * left, 8)
    store_columns(scratch, VECTOR, totals)


by_table = _chooser(nearest_of_table, VECTOR // 2)
by_steps = _chooser(nearest_of_steps, 0)
distances = _chooser(given_level, VECTOR)
