"""Many jobs after one another without a return to Python: the steps of a token, or of a prompt.

A program is a table, one row a step: a kernel's address, its two descriptors, rows, and rows that a thread takes at
once. The caller's thread goes through it; a step of one chunk it does alone, any other is open to the team, as a single
job is. A helper that fell asleep meanwhile can only be woken from Python: so the loop returns when it opens a step and
finds one. What a step is, this loop does not know: another architecture is another table.
"""

from __future__ import annotations

from fourcc.kernels.descriptors import WORD
from fourcc.kernels.simd.atomic import call_kernel, load_shared, relax, store_shared
from fourcc.kernels.simd.memory import load_word, store_word
from fourcc.kernels.threads.board import (
    ASLEEP,
    CHUNK,
    CHUNKS,
    DONE,
    FUNCTION,
    JOB,
    LEFT,
    LINE,
    OPEN,
    OWN,
    ROWS,
    SCRATCH,
    WEIGHTS,
    work,
)

# A step of a program.
STEP_FUNCTION, STEP_WEIGHTS, STEP_JOB, STEP_ROWS, STEP_CHUNK = (WORD * word for word in range(5))
STEP_WORDS = 8


def run_steps(board: int, state: int, spins: int, last: int, own: int) -> None:
    """Runs a program from where it is to its end, until others let it wait for `spins` turns, or until one is asleep.

    Args:
        board: the team's.
        state: address of: the program's address, the next step, the number of the team's last job.
        spins: turns.
        last: steps of the program.
        own: address of the address of the thread's scratch memory.
    """
    step = load_word(state + WORD)
    while step < last:
        at = load_word(state) + WORD * STEP_WORDS * step
        rows, chunk = load_word(at + STEP_ROWS), load_word(at + STEP_CHUNK)
        if rows > chunk:
            if not load_word(board + OPEN):
                open_step(board, state, at)
                if any_asleep(board, own):
                    return
            work(board, own)
            if not is_done(board, spins):
                return
            store_word(board + OPEN, 0)
        elif rows:
            function, weights, job = load_word(at), load_word(at + STEP_WEIGHTS), load_word(at + STEP_JOB)
            call_kernel(function, weights, job, 0, rows, load_word(own))
        step += 1
        store_word(state + WORD, step)


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
    store_word(board + OPEN, 1)
    number = (load_word(state + 2 * WORD) + 1) & 0x7FFFFFFF
    store_word(state + 2 * WORD, number)
    store_shared(board + LEFT, number << 32 | chunks)


def any_asleep(board: int, own: int) -> int:
    """Whether a helper has fallen asleep; the helpers' lines lie before the caller's."""
    for line in range(board + OWN, own - SCRATCH, LINE):
        if load_shared(line) == ASLEEP:
            return 1
    return 0


def is_done(board: int, spins: int) -> int:
    """Whether all chunks are done, after a bounded wait."""
    for _ in range(spins):
        if load_shared(board + DONE) == load_word(board + CHUNKS):
            return 1
        relax()
    return 0
