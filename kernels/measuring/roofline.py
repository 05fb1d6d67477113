"""What a machine can do at most: kernels that only read, or only calculate; and one that runs many products in one job.

A read kernel's matrix is a run of `UNIT`-byte rows, PARTS the address of the first; what it read is added up and stored
in scratch memory, so that no read can be left out. The kernels that calculate take their operands from scratch memory,
whose contents do not matter, and count `first` .. `last` in turns (`calculators`).

A rotation's matrix is a table: STEP, rows from one matrix of the table to the next; LAST, the rows that each has; then
an ENTRY for each, the addresses of a kernel, of its matrix and of its job. Rows are counted through all matrices, as a
loop over a model's layers runs through them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.compiler.object_cache import reachable
from fourcc.kernels.descriptors import PARTS
from fourcc.kernels.products.prefetch import GEMV_DISTANCE, SMALL_N_DISTANCE
from fourcc.kernels.simd.arithmetic import add, no_ints
from fourcc.kernels.simd.atomic import call_kernel
from fourcc.kernels.simd.dot import dot, scaled_dot
from fourcc.kernels.simd.memory import load_bytes, load_floats, load_ints, load_word, prefetch, store
from fourcc.kernels.simd.operation import Operation
from fourcc.kernels.simd.target import multiplies_bfloat16s
from fourcc.kernels.simd.tiles import (
    dot_columns,
    multiply_add_columns,
    multiply_add_pairs,
    no_float_columns,
    no_int_columns,
    store_columns,
)

UNIT = 16384  # bytes of a row of the read kernels
SCRATCH = 4096  # bytes that these kernels need
STEP, LAST, ENTRIES = 0, 8, 16
ENTRY = 24
LANES = 16
TURNS = 64  # weight vectors of a turn
FOUR = 4  # products of bytes in a lane
TWO = 2  # products of bfloat16
INTEGERS, PAIRS, FLOATS = "int8", "bfloat16", "float32"  # what is multiplied
BYTE_PRODUCTS = frozenset({dot, dot_columns, scaled_dot})


def _reader(vectors: int, ahead: int) -> KernelFunction:
    """Reads rows from their first byte to their last.

    Args:
        vectors: 4 or 8, read in a turn; each has its own sum.
        ahead: bytes to prefetch ahead; 0: left to the machine.
    """

    def read(weights: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
        a, b, c, d = no_ints(), no_ints(), no_ints(), no_ints()
        e, f, g, h = no_ints(), no_ints(), no_ints(), no_ints()
        p = load_word(weights + PARTS)
        for at in range(p + UNIT * first, p + UNIT * last, 64 * vectors):
            if ahead:
                for line in range(vectors):
                    prefetch(at + ahead + 64 * line)
            a, b = add(a, load_ints(at)), add(b, load_ints(at + 64))
            c, d = add(c, load_ints(at + 128)), add(d, load_ints(at + 192))
            if vectors == 8:
                e, f = add(e, load_ints(at + 256)), add(f, load_ints(at + 320))
                g, h = add(g, load_ints(at + 384)), add(h, load_ints(at + 448))
        store(scratch, add(add(add(a, b), add(c, d)), add(add(e, f), add(g, h))))

    return read


def _read_side_by_side(weights: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
    """Reads eight rows side by side."""
    a, b, c, d = no_ints(), no_ints(), no_ints(), no_ints()
    e, f, g, h = no_ints(), no_ints(), no_ints(), no_ints()
    p, eights = load_word(weights + PARTS), first + (last - first) // 8 * 8
    for row in range(first, eights, 8):
        for at in range(p + UNIT * row, p + UNIT * row + UNIT, 64):
            a, b = add(a, load_ints(at)), add(b, load_ints(at + UNIT))
            c, d = add(c, load_ints(at + 2 * UNIT)), add(d, load_ints(at + 3 * UNIT))
            e, f = add(e, load_ints(at + 4 * UNIT)), add(f, load_ints(at + 5 * UNIT))
            g, h = add(g, load_ints(at + 6 * UNIT)), add(h, load_ints(at + 7 * UNIT))
    for at in range(p + UNIT * eights, p + UNIT * last, 64):
        a = add(a, load_ints(at))
    store(scratch, add(add(add(a, b), add(c, d)), add(add(e, f), add(g, h))))


READERS = (
    *(_reader(vectors, ahead) for vectors in (4, 8) for ahead in (0, SMALL_N_DISTANCE, GEMV_DISTANCE or 512)),
    _read_side_by_side,
)


def _calculator(tile: Operation, step: Operation, load: Operation, columns: int) -> KernelFunction:
    """As the product of a panel with some activations does it, with two tiles and with nothing around it."""
    nothing: Callable[[], Any] = tile

    def calculate(weights: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
        totals = nothing()
        for _ in range(first, last):
            for turn in range(TURNS):
                totals = step(totals, load(scratch + 64 * (turn & 7)), scratch + 1024, 64)
        store_columns(scratch + 2048, 64, totals)

    calculate.__qualname__ = f"calculate_{columns}"
    return calculate


WIDTHS = (2, 4, 8)  # columns of the tile: how many sums are under way at once
_PEAKS = {
    INTEGERS: (no_int_columns, dot_columns, load_bytes, FOUR),
    FLOATS: (no_float_columns, multiply_add_columns, load_floats, 1),
    PAIRS: (no_float_columns, multiply_add_pairs, load_ints, TWO),
}


def peaks() -> tuple[str, ...]:
    """What the processor multiplies at a rate of its own."""
    return (INTEGERS, FLOATS, PAIRS) if multiplies_bfloat16s() else (INTEGERS, FLOATS)


def calculators(what: str) -> list[tuple[KernelFunction, int]]:
    """Kernels that multiply such numbers, and the operations of a turn: a product and a sum count as two."""
    tiles, step, load, products = _PEAKS[what]
    turn = 2 * products * LANES * TURNS
    return [(_calculator(tiles[columns], step, load, columns), turn * columns) for columns in WIDTHS]


def multiplied(kernel: KernelFunction) -> str:
    """What the products of a kernel are made of: of bytes or of bfloat16 where it has such, else of floats."""
    operations = {each for each in reachable(kernel) if isinstance(each, Operation)}
    if operations & BYTE_PRODUCTS:
        return INTEGERS
    return PAIRS if multiply_add_pairs in operations else FLOATS


def rotate(weights: int, job: int, first: int, last: int, scratch: int) -> None:  # noqa: ARG001
    """Runs every matrix of a table whose rows lie between `first` and `last`."""
    step, rows = load_word(weights + STEP), load_word(weights + LAST)
    at = first
    while at < last:
        entry = weights + ENTRIES + ENTRY * (at // step)
        row = at % step
        end = min(step, row + last - at)
        call_kernel(load_word(entry), load_word(entry + 8), load_word(entry + 16), row, min(rows, end), scratch)
        at += end - row
