"""The best path through the trellis: the codes whose weights are nearest to those of a block.

A state is a window of 12 bits of the block's stream; it advances by `bits`, so each state has 2^bits followers and as
many predecessors. Viterbi's algorithm keeps the cheapest way to each state. A stream that closes into a ring needs two
passes: one over the block rotated by half, for the state where the block begins, and one from that state to itself.

Costs are float32 and grow in the order of the weights, by one subtraction, one product and one sum, none of them fused;
ties go to the first. So the codes are the same on every machine, compiled or not.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from fourcc import Array, Floats

STATE_BITS = 12
STATES = 1 << STATE_BITS
FAR = np.float32(3e38)  # the cost of an impossible state

Search = Callable[[Floats, Floats, Array], None]


def best_codes(units: Floats, table: Floats, bits: int) -> Array:
    """The codes of blocks, uint8 (blocks, width).

    Args:
        units: (blocks, width), with the scale of the table.
        table: (4096,), the weight of each state.
        bits: of a code.
    """
    codes = np.empty(units.shape, np.uint8)
    compiled(bits)(np.ascontiguousarray(units), placed(table, bits), codes)
    return codes


def placed(table: Floats, bits: int) -> Floats:
    """The weights of the states in the order in which a pass keeps their costs: by their lowest bits first."""
    return np.ascontiguousarray(table.reshape(-1, 1 << bits).T).reshape(-1)


@cache
def compiled(bits: int) -> Search:
    """`search` as machine code; numba is imported when the first block is encoded.

    No fastmath, so the costs are as stated; no cache, which would leave files beside the installed package.
    """
    from numba import njit

    return searcher(bits, njit(nogil=True, error_model="numpy"))


def searcher(bits: int, compile_: Callable[[Any], Any]) -> Search:
    """The search for codes of so many bits; sizes known at compile time make it several times faster.

    Args:
        bits: of a code.
        compile_: treats each function.
    """
    cheapest, follow = compile_(_cheapest(bits)), compile_(_follow(bits))
    search: Search = compile_(_search(bits, compile_(_states(bits, cheapest, follow))))
    return search


def _cheapest(bits: int) -> Callable[..., None]:
    ways, groups = 1 << bits, STATES >> bits

    def cheapest(cost: Floats, least: Floats, way: Array) -> None:
        """Finds the cheapest of the states that differ only in their lowest bits: they have the same followers."""
        for g in range(groups):
            best, first = cost[0, g], np.int32(0)
            for j in range(1, ways):
                less = cost[j, g] < best
                best = cost[j, g] if less else best
                first = np.int32(j) if less else first
            least[g], way[g] = best, first

    return cheapest


def _follow(bits: int) -> Callable[..., None]:
    ways, groups, runs = 1 << bits, STATES >> bits, STATES >> 2 * bits

    def follow(x: np.float32, table: Floats, least: Floats, cost: Floats) -> None:
        """Adds the costs of all followers; in two loops, since compilers optimize a single one badly."""
        for j in range(ways):
            for place in range(groups):
                d = x - table[j, place]
                cost[j, place] = d * d
            for b in range(ways):
                for h in range(least.shape[1]):
                    cost[j, b * runs + h] += least[j, h]

    return follow


def _states(bits: int, cheapest: Callable[..., None], follow: Callable[..., None]) -> Callable[..., None]:
    ways, groups, runs = 1 << bits, STATES >> bits, STATES >> 2 * bits

    def states(units: Floats, table: Floats, seam: int, back: Array, path: Array) -> None:
        """Finds the cheapest path; where `seam` is a state, among those that begin and end in it."""
        cost = np.empty((ways, groups), np.float32)
        least, way = np.empty(groups, np.float32), np.empty(groups, np.int32)
        turned = np.empty((ways, runs), np.float32)
        cost[:] = np.float32(0) if seam < 0 else FAR
        if seam >= 0:
            cost[seam & (ways - 1), seam >> bits] = np.float32(0)
        for t in range(len(units)):
            cheapest(cost, least, way)
            for h in range(runs):
                for j in range(ways):
                    turned[j, h] = least[h * ways + j]
            for g in range(groups):
                back[t, g] = way[g]
            follow(units[t], table, turned, cost)
        state = seam
        if seam < 0:
            place = int(np.argmin(cost))
            state = (place % groups) * ways + place // groups
        for t in range(len(units) - 1, -1, -1):
            path[t] = state
            group = state & (groups - 1)
            state = group * ways + np.int64(back[t, group])

    return states


def _search(bits: int, states: Callable[..., None]) -> Search:
    ways, groups = 1 << bits, STATES >> bits

    def search(units: Floats, table: Floats, codes: Array) -> None:
        """Fills the codes of all blocks, one after the other."""
        width = units.shape[1]
        half, back = width // 2, np.empty((width, groups), np.uint8)
        path, turned, places = np.empty(width, np.int64), np.empty(width, np.float32), table.reshape(ways, groups)
        for block in range(units.shape[0]):
            turned[: width - half] = units[block, half:]
            turned[width - half :] = units[block, :half]
            states(turned, places, -1, back, path)
            seam = path[width - half - 1]  # the state of the block's last weight
            states(units[block], places, seam, back, path)
            for t in range(width):
                codes[block, t] = path[t] & (ways - 1)

    return search
