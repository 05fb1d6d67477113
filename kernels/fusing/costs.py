"""The cost of a block decoder: about how many operations on vectors it takes for a weight of sixteen rows.

Measured with 4096 x 4096 weights and one activation, on one thread of a Zen 4: polynomials of a code, chains of integer
operations and of divisions, tables. A vector operation on each weight takes 0.2 to 0.5 ms, a division 1.7, an entry of
a table in memory 5; the product of decoded weights takes 3 ms, whatever decoded them.

    operations a weight      5     11     19     27     43     51
    fused / decoded first  0.7    1.1    1.3    2.4    3.2    5.3     n = 1
                           0.8    0.9    0.9    1.1    1.3    1.6     n = 32

Two threads halve the upper numbers but for a fifth: the product of decoded weights waits for memory.
"""

from __future__ import annotations

from fourcc.kernels.fusing.ir import Instruction, Trace

COSTLY = 40  # operations a weight, from which on decoding first is faster for any number of activations and threads
COSTS = {"truediv": 8, "constant": 0}  # the others: 1
IN_REGISTERS = 64  # entries of a table, at most
GATHER = 25  # an entry of a longer one


def operations(trace: Trace) -> float:
    """About how many vector operations a trace takes for each weight."""
    return sum(_cost(each, trace) for each in trace.instructions) / max(1, len(trace.results))


def _cost(instruction: Instruction, trace: Trace) -> int:
    match instruction.name, instruction.arguments:
        case "table", (table, _):
            return GATHER if len(trace.tables[table]) > IN_REGISTERS else 1
        case "part_table", (_, _, count, _):
            return GATHER if count > IN_REGISTERS else 1
    return COSTS.get(instruction.name, 1)
