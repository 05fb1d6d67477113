"""Viterbi's algorithm for trellis codes: the states of `fourcc.formats.searches.viterbi.best_states`.

Sixteen states are taken at once. The states that differ only in their lowest bits, a group, have the same followers, so
a pass keeps the least cost of each group, and which of its states has it. Costs are float32; every operation is rounded
separately, in the order of the numpy code, and ties go to the first. So the states are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import DescriptorLayout
from fourcc.kernels.simd.arithmetic import add, floats_of, ints_from_floats, multiply, no_floats, subtract
from fourcc.kernels.simd.deinterleave import deinterleave
from fourcc.kernels.simd.memory import (
    VECTOR,
    load_byte,
    load_float,
    load_floats,
    load_word,
    store,
    store_float,
    store_int,
)
from fourcc.kernels.simd.select import where_less
from fourcc.kernels.simd.store_narrow import store_low_bytes

STATE_BITS = 12
STATES = 1 << STATE_BITS
RING = 256  # weights of a ring
LEAD = 32  # weights on either side of the joint that decide its state
LANES = 16
NOTHING, INFINITY = np.float32(0), np.float32(np.inf)
FAR = np.float32(3e38)  # the cost of a state where no path begins
SEARCH = DescriptorLayout(
    "units",  # address of float32 (rings, 256): what the weights of the table are to be near to
    "counts",  # address of float32 (rings, 256): the weight of each squared error
    "table",  # address of float32 (2^bits, groups): the weight of each state, by its lowest bits first
    "states",  # address of int32 (rings, 256)
)
UNITS, COUNTS, TABLE, FOUND = (SEARCH.offset(name) for name in ("units", "counts", "table", "states"))

Step = Callable[[int, int, int, int, int], None]  # (unit, count, table, scratch, ways): addresses


@cache
def search(bits: int) -> KernelFunction:
    """The kernel for codes of so many bits, 2 to 4; it searches rings first .. last."""
    ways, groups = 1 << bits, STATES >> bits
    step, joint_of, path = _step(bits), _last_state(bits), _path(bits)
    beaten = 8 * groups  # where the ways begin, behind two arrays of costs

    def best_states(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        table = load_word(weights + TABLE)
        for ring in range(first, last):
            units = load_word(weights + UNITS) + 4 * RING * ring
            counts = load_word(weights + COUNTS) + 4 * RING * ring
            for at in range(0, 4 * groups, VECTOR):
                store(scratch + at, no_floats())
            for t in range(RING - LEAD, RING + LEAD):
                at = 4 * (t & (RING - 1))
                step(units + at, counts + at, table, scratch, scratch + beaten + groups * (t - RING + LEAD))
            found = load_word(weights + FOUND) + 4 * RING * ring
            end = joint_of(scratch, scratch + beaten + groups * (2 * LEAD - 1))
            path(end, LEAD - 1, 2 * LEAD - 1, scratch + beaten, found)
            joint = load_word(found) & (STATES - 1)
            for at in range(0, 4 * groups, VECTOR):
                store(scratch + at, floats_of(FAR))
            store_float(scratch + 4 * (joint >> bits), NOTHING)
            for t in range(RING - 1):
                step(units + 4 * t, counts + 4 * t, table, scratch, scratch + beaten + groups * t)
            path(joint, 0, RING - 1, scratch + beaten, found)

    best_states.__qualname__ = f"best_states_{ways}"
    return best_states


def scratch_bytes(bits: int) -> int:
    """Bytes of scratch memory: the costs of the groups, twice, and the ways of all weights of a ring."""
    return (STATES >> bits) * (8 + RING)


def _step(bits: int) -> Step:
    """Takes a weight: the costs of all groups, and which of their states has it."""
    ways, groups, runs = 1 << bits, STATES >> bits, STATES >> 2 * bits
    split = deinterleave[ways]

    def step(unit: int, count: int, table: int, scratch: int, beaten: int) -> None:
        x, counted = floats_of(load_float(unit)), floats_of(load_float(count))
        before = scratch + 4 * groups
        for run in range(0, runs, LANES):
            split(scratch + 4 * ways * run, before + 4 * ways * run)
        for high in range(ways):
            for run in range(0, runs, LANES):
                group = high * runs + run
                best, way = floats_of(INFINITY), no_floats()
                for low in range(ways):
                    distance = subtract(x, load_floats(table + 4 * (groups * low + group)))
                    error = multiply(multiply(distance, distance), counted)
                    cost = add(load_floats(before + 4 * ways * run + VECTOR * low), error)
                    way = where_less(cost, best, floats_of(np.float32(low)), way)
                    best = where_less(cost, best, cost, best)
                store(scratch + 4 * group, best)
                store_low_bytes(beaten + group, ints_from_floats(way))

    return step


def _last_state(bits: int) -> Callable[[int, int], int]:
    """The state where the cheapest path ends."""
    groups = STATES >> bits

    def last_state(costs: int, beaten: int) -> int:
        best, group = load_float(costs), 0
        for each in range(1, groups):
            cost = load_float(costs + 4 * each)
            if cost < best:
                best, group = cost, each
        state: int = (group << bits) + load_byte(beaten + group)
        return state

    return last_state


def _path(bits: int) -> Callable[[int, int, int, int, int], None]:
    """Follows a path back from its last state, and stores the states from weight `first` to weight `last`."""
    groups = STATES >> bits

    def path(state: int, first: int, last: int, beaten: int, out: int) -> None:
        store_int(out + 4 * (last - first), state)
        for t in range(last - 1, first - 1, -1):
            group = state & (groups - 1)
            state = (group << bits) + load_byte(beaten + groups * t + group)
            store_int(out + 4 * (t - first), state)

    return path
