"""The search for trellis codes with compiled kernels where that pays, else in numpy, with equal results."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from fourcc.compute.coding import either
from fourcc.kernels.descriptors import address, empty

if TYPE_CHECKING:
    from fourcc.arrays import Array, Floats
    from fourcc.kernels.compiler.jit import KernelFunction

Search = Callable[["Floats", "Floats", "Floats", int], "Array"]
WORTH = 1 << 9  # weights that numpy encodes plainly while it searches for a single one


def best_states(slow: Search, units: Floats, counts: Floats, table: Floats, bits: int) -> Array:
    """The states that `slow` finds, int32 (rings, weights of a ring).

    Args:
        slow: the search in numpy.
        units: float32 (rings, weights): what the weights of the table are to be near to.
        counts: float32 (rings, weights): the weight of each squared error.
        table: float32 (states,): the weight of each state.
        bits: of a code.
    """
    from fourcc.kernels.encoders.viterbi import SEARCH, scratch_bytes, search

    def fast(code: KernelFunction) -> Array:
        placed = np.ascontiguousarray(table.reshape(-1, 1 << bits).T)
        given = [np.ascontiguousarray(each) for each in (units, counts)]
        found, scratch = np.empty(units.shape, np.int32), empty(scratch_bytes(bits))
        record = SEARCH.record(
            units=address(given[0]), counts=address(given[1]), table=address(placed), states=address(found)
        )
        code(address(record), 0, 0, len(units), address(scratch))
        return found

    return either(search(bits), WORTH * units.size, fast, lambda: slow(units, counts, table, bits))
