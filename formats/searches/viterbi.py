"""Viterbi's algorithm for trellis codes: the ring of codes whose weights are nearest to those of a block.

A state is a window of 12 bits of the ring; from a weight to the next it advances by the bits of a code, so 2^bits
states have the same followers. The algorithm keeps the cheapest way to each state. A ring ends in the state in which it
begins, its *joint*, which a first pass finds: over the weights on either side of it, from any state to any state. The
second pass goes around, from the joint to the joint.

Costs are float32 and grow in the order of the weights: ((unit - weight)^2 * count), each operation rounded, is added to
the cost of the state before. Ties go to the first. `fourcc.compute.trellis` has the same in machine code.
"""

from __future__ import annotations

import numpy as np

from fourcc import Array, Floats

STATE_BITS = 12
STATES = 1 << STATE_BITS
RING = 256  # weights of a ring
LEAD = 32  # weights on either side of the joint that decide its state
FAR = np.float32(3e38)  # the cost of a state where no path begins
AT_ONCE = 16  # rings, so that the costs of their states stay in the cache


def best_states(units: Floats, counts: Floats, table: Floats, bits: int) -> Array:
    """The states of the best rings, int32 (rings, 256).

    Args:
        units: float32 (rings, 256): what the weights of the table are to be near to.
        counts: float32 (rings, 256): the weight of each squared error.
        table: float32 (4096,): the weight of each state.
        bits: of a code.
    """
    found = np.empty(units.shape, np.int32)
    for first in range(0, len(units), AT_ONCE):
        some = slice(first, first + AT_ONCE)
        found[some] = _states(units[some], counts[some], table, bits)
    return found


def _states(units: Floats, counts: Floats, table: Floats, bits: int) -> Array:
    """`best_states` of a few rings."""
    groups = STATES >> bits
    rings = np.arange(len(units))
    around = np.arange(RING - LEAD, RING + LEAD) % RING
    costs, ways = _passed(units[:, around], counts[:, around], table, np.zeros((len(units), groups), np.float32), bits)
    group = costs.argmin(axis=1)
    end = group << bits | ways[-1, rings, group]
    joint = _path(end, ways[LEAD - 1 : -1], bits)[:, 0]
    costs = np.full((len(units), groups), FAR)
    costs[rings, joint >> bits] = 0
    _, ways = _passed(units[:, :-1], counts[:, :-1], table, costs, bits)
    return _path(joint, ways, bits)


def _passed(units: Floats, counts: Floats, table: Floats, costs: Floats, bits: int) -> tuple[Floats, Array]:
    """The least cost of each group of states after some weights, and after each which state of the group has it.

    Args:
        units: float32 (rings, weights).
        counts: float32 (rings, weights).
        table: as for `best_states`.
        costs: float32 (rings, groups), before the first weight.
        bits: of a code.

    Returns:
        Costs (rings, groups) and ways uint8 (weights, rings, groups).
    """
    rings, groups, low = len(units), STATES >> bits, 1 << bits
    placed = np.ascontiguousarray(table.reshape(low, -1, low).transpose(2, 0, 1))  # by lowest bits, highest, the rest
    ways = np.zeros((units.shape[1], rings, groups), np.uint8)
    for t in range(units.shape[1]):
        before = np.ascontiguousarray(
            costs.reshape(rings, -1, low).transpose(2, 0, 1)
        )  # what becomes lowest bits first
        unit, count = units[:, t, None, None], counts[:, t, None, None]
        costs = np.full((rings, low, groups >> bits), np.inf, np.float32)
        way = ways[t].reshape(costs.shape)
        for each in range(low):
            distance = unit - placed[each]
            cost = before[each, :, None] + distance * distance * count
            less = cost < costs
            way[less] = each
            np.copyto(costs, cost, where=less)
        costs = costs.reshape(rings, groups)
    return costs, ways


def _path(end: Array, ways: Array, bits: int) -> Array:
    """The states of the paths that end in `end`, int64 (rings, weights before the end + 1)."""
    rings, groups = np.arange(len(end)), STATES >> bits
    states = [end.astype(np.int64)]
    for way in ways[::-1]:
        group = states[-1] & (groups - 1)
        states.append(group << bits | way[rings, group])
    return np.stack(states[::-1], axis=1)
