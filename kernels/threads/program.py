"""Many jobs one after the other without a return to Python: the steps of a token, or of a prompt.

A program is a table with one row a step (`fourcc.kernels.descriptors.STEP`). The caller's thread goes through it: it
does a step of one chunk alone, and opens any other to the team, as a single job is opened. Only Python can wake a
helper that fell asleep meanwhile: so the loop returns when it opens a step while a helper sleeps. The loop does not
know what a step does: another architecture is another table.
"""

from __future__ import annotations

from fourcc.kernels.descriptors import PROGRAM, STEP
from fourcc.kernels.simd.atomic import call_kernel, load_shared, relax, store_shared
from fourcc.kernels.simd.memory import load_word, store_word
from fourcc.kernels.threads.board import (
    ASLEEP,
    CHUNK,
    CHUNKS,
    DONE,
    FUNCTION,
    IS_ASLEEP,
    IS_OPEN,
    JOB,
    LEFT,
    ROWS,
    SCRATCH,
    THREAD_SIZE,
    THREADS,
    WEIGHTS,
    work,
)

STEP_FUNCTION, STEP_WEIGHTS, STEP_JOB = STEP.offset("function"), STEP.offset("weights"), STEP.offset("job")
STEP_ROWS, STEP_CHUNK, STEP_SIZE = STEP.offset("rows"), STEP.offset("chunk"), STEP.size
STEPS, NEXT, NUMBER = PROGRAM.offset("steps"), PROGRAM.offset("next"), PROGRAM.offset("number")


def run_steps(board: int, state: int, spins: int, last: int, own: int) -> None:
    """Runs a program from its next step to its end; returns early if it waits for `spins` turns, or a helper sleeps.

    Args:
        board: address of the team's board.
        state: how far the program is (`fourcc.kernels.descriptors.PROGRAM`).
        spins: turns to wait for the chunks of other threads.
        last: steps of the program.
        own: address of the caller's line.
    """
    step = load_word(state + NEXT)
    while step < last:
        at = load_word(state + STEPS) + STEP_SIZE * step
        rows, chunk = load_word(at + STEP_ROWS), load_word(at + STEP_CHUNK)
        if rows > chunk:
            if not load_word(board + IS_OPEN):
                open_step(board, state, at)
                if any_asleep(board, own):
                    return
            work(board, own)
            if not is_done(board, spins):
                return
            store_word(board + IS_OPEN, 0)
        elif rows:
            function, weights = load_word(at + STEP_FUNCTION), load_word(at + STEP_WEIGHTS)
            call_kernel(function, weights, load_word(at + STEP_JOB), 0, rows, load_word(own + SCRATCH))
        step += 1
        store_word(state + NEXT, step)


def open_step(board: int, state: int, at: int) -> None:
    """Opens a step to the team."""
    rows, chunk = load_word(at + STEP_ROWS), load_word(at + STEP_CHUNK)
    chunks = (rows + chunk - 1) // chunk
    store_word(board + DONE, 0)
    store_word(board + FUNCTION, load_word(at + STEP_FUNCTION))
    store_word(board + WEIGHTS, load_word(at + STEP_WEIGHTS))
    store_word(board + JOB, load_word(at + STEP_JOB))
    store_word(board + ROWS, rows)
    store_word(board + CHUNK, chunk)
    store_word(board + CHUNKS, chunks)
    store_word(board + IS_OPEN, 1)
    number = (load_word(state + NUMBER) + 1) & 0x7FFFFFFF
    store_word(state + NUMBER, number)
    store_shared(board + LEFT, number << 32 | chunks)


def any_asleep(board: int, own: int) -> int:
    """Whether a helper sleeps; the helpers' lines lie before the caller's."""
    for thread in range(board + THREADS, own, THREAD_SIZE):
        if load_shared(thread + IS_ASLEEP) == ASLEEP:
            return 1
    return 0


def is_done(board: int, spins: int) -> int:
    """Whether all chunks are done after a wait of at most `spins` turns."""
    for _ in range(spins):
        if load_shared(board + DONE) == load_word(board + CHUNKS):
            return 1
        relax()
    return 0
