"""Floats that depend on one short code alone: their values are listed, so that a look-up takes the place of arithmetic.

``(code - 8) * 0.5`` of a code of four bits is one of sixteen floats. Where a look-up in a register is one instruction,
it is faster than a mask, a difference, a conversion and a product.
"""

from __future__ import annotations

import numpy as np

from fourcc.kernels.descriptors import Array
from fourcc.kernels.fusing.evaluation import LANES, chosen, computed
from fourcc.kernels.fusing.ir import Trace, operands_of

LONGEST = 32  # entries of a table


def short_sources(trace: Trace) -> list[int | None]:
    """For each instruction, the one with a short range that alone decides its result; None: there is none.

    A constant has itself, and so has an integer with a short range that depends on more.
    """
    sources: list[int | None] = []
    for number, instruction in enumerate(trace.instructions):
        if instruction.name == "constant":
            sources.append(number)
            continue
        found = {sources[each] for each in operands_of(instruction)} - _constants(trace, sources, number)
        bounds = trace.bounds[number]
        if len(found) == 1 and None not in found and instruction.name != "part_table":
            sources.append(found.pop())
        elif bounds is not None and instruction.kind != "truth" and 0 <= bounds[0] <= bounds[1] < LONGEST:
            sources.append(number)
        else:
            sources.append(None)
    return sources


def _constants(trace: Trace, sources: list[int | None], number: int) -> set[int | None]:
    """The operands of an instruction that are constants."""
    operands = operands_of(trace.instructions[number])
    return {sources[each] for each in operands if trace.instructions[each].name == "constant"}


def listed_values(trace: Trace, number: int, source: int) -> Array:
    """The results of a float instruction for each integer 0, 1, … that its source may be."""
    bounds = trace.bounds[source]
    assert bounds is not None
    count = bounds[1] + 1
    known: dict[int, Array] = {source: np.arange(count).astype(LANES[trace.instructions[source].kind])}
    waiting = [number]
    with np.errstate(all="ignore"):
        while waiting:
            at = waiting[-1]
            missing = [each for each in operands_of(trace.instructions[at]) if each not in known]
            if missing and at not in known:
                waiting += missing
                continue
            waiting.pop()
            if at not in known:
                known[at] = _result(trace, at, known, count)
    return known[number]


def _result(trace: Trace, number: int, known: dict[int, Array], count: int) -> Array:
    instruction = trace.instructions[number]
    kind = LANES[instruction.kind]
    if instruction.name == "constant":
        return np.full(count, instruction.arguments[0]).astype(kind)
    if instruction.name == "table":
        table, index = instruction.arguments
        return chosen(trace.tables[table], known[index]).astype(kind)
    return computed(instruction, [known[each] for each in instruction.arguments]).astype(kind)
