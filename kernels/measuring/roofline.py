"""The limits of a machine: kernels that only read, or only calculate; and one that runs many products in one job.

A read kernel's matrix is a run of `UNIT`-byte rows, PARTS the address of the first; the kernel adds up all it reads and
stores the sums in scratch memory, so that the compiler can leave out no read. The kernels that calculate take their
operands from scratch memory, whose contents do not matter, and count `first` .. `last` in turns (`calculators`).

A rotation's first descriptor is a table (`rotation`). Rows are counted through all of its matrices, as a loop over a
model's layers runs through them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fourcc.kernels.compiler.jit import Compiled, KernelFunction
from fourcc.kernels.compiler.object_cache import reachable
from fourcc.kernels.descriptors import PARTS, Array, DescriptorLayout, address
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
LANES = 16
TURNS = 64  # weight vectors of a turn
FOUR = 4  # products of bytes in a lane
TWO = 2  # products of bfloat16 in a lane
INTEGERS, PAIRS, FLOATS = "int8", "bfloat16", "float32"  # the numbers that are multiplied
BYTE_PRODUCTS = frozenset({dot, dot_columns, scaled_dot})


def _reader(vectors: int, ahead: int) -> KernelFunction:
    """A kernel that reads rows from their first byte to their last.

    Args:
        vectors: 4 or 8, read in a turn; each has its own sum.
        ahead: bytes to prefetch ahead; 0: prefetching is left to the machine.
    """

    def read(weights: int, job: int, first: int, last: int, scratch: int) -> None:
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


def _read_side_by_side(weights: int, job: int, first: int, last: int, scratch: int) -> None:
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
    """A kernel that calculates as the product of a panel with some activations does, with nothing around it."""
    nothing: Callable[[], Any] = tile

    def calculate(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        totals = nothing()
        for _ in range(first, last):
            for turn in range(TURNS):
                totals = step(totals, load(scratch + 64 * (turn & 7)), scratch + 1024, 64)
        store_columns(scratch + 2048, 64, totals)

    calculate.__qualname__ = f"calculate_{columns}"
    return calculate


WIDTHS = (2, 4, 8)  # columns of the tile: sums under way at once
_PEAKS = {
    INTEGERS: (no_int_columns, dot_columns, load_bytes, FOUR),
    FLOATS: (no_float_columns, multiply_add_columns, load_floats, 1),
    PAIRS: (no_float_columns, multiply_add_pairs, load_ints, TWO),
}


def peaks() -> tuple[str, ...]:
    """Kinds of numbers that the processor multiplies at a rate of their own."""
    return (INTEGERS, FLOATS, PAIRS) if multiplies_bfloat16s() else (INTEGERS, FLOATS)


def calculators(what: str) -> list[tuple[KernelFunction, int]]:
    """Kernels that multiply one kind of numbers, with the operations of a turn: a product and a sum count as two."""
    tiles, step, load, products = _PEAKS[what]
    turn = 2 * products * LANES * TURNS
    return [(_calculator(tiles[columns], step, load, columns), turn * columns) for columns in WIDTHS]


def multiplied(kernel: KernelFunction) -> str:
    """The kind of numbers that a kernel multiplies: bytes or bfloat16 where it has such products, else floats."""
    operations = {reached for reached in reachable(kernel) if isinstance(reached, Operation)}
    if operations & BYTE_PRODUCTS:
        return INTEGERS
    return PAIRS if multiply_add_pairs in operations else FLOATS


# A rotation's table: rows from one matrix to the next, rows of a matrix, then an entry for each matrix.
ROTATION = DescriptorLayout("step", "rows")
ENTRY = DescriptorLayout("function", "weights", "job")
STEP, ROWS, ENTRIES, ENTRY_SIZE = ROTATION.offset("step"), ROTATION.offset("rows"), ROTATION.size, ENTRY.size
FUNCTION, WEIGHTS, JOB = ENTRY.offset("function"), ENTRY.offset("weights"), ENTRY.offset("job")


def rotation(kernel: KernelFunction, matrices: Sequence[Array], jobs: Sequence[Array], rows: int, step: int) -> Array:
    """The table that `rotate` runs through, int64; it keeps no array alive.

    Args:
        kernel: compiled.
        matrices: descriptors, one for each matrix.
        jobs: descriptors, one for each matrix.
        rows: of each matrix.
        step: rows from the first row of a matrix to that of the next one, at least `rows`.
    """
    assert isinstance(kernel, Compiled)
    entries = [
        ENTRY.record(function=kernel.address, weights=address(matrix), job=address(job))
        for matrix, job in zip(matrices, jobs, strict=True)
    ]
    return np.concatenate([ROTATION.record(step=step, rows=rows), *entries])


def rotate(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Runs every matrix of a table whose rows lie between `first` and `last`."""
    step, rows = load_word(weights + STEP), load_word(weights + ROWS)
    at = first
    while at < last:
        entry = weights + ENTRIES + ENTRY_SIZE * (at // step)
        function, matrix, own = load_word(entry + FUNCTION), load_word(entry + WEIGHTS), load_word(entry + JOB)
        row = at % step
        end = min(step, row + last - at)
        call_kernel(function, matrix, own, row, min(rows, end), scratch)
        at += end - row
