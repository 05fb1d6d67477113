"""The board of a thread team, which says which job is open, and how a thread takes a chunk of it."""

from __future__ import annotations

from fourcc.kernels.descriptors import BOARD, THREAD
from fourcc.kernels.simd.atomic import add_shared, call_kernel, load_shared, swap_shared
from fourcc.kernels.simd.memory import load_word

LEFT, DONE = BOARD.offset("left"), BOARD.offset("done")
FUNCTION, WEIGHTS, JOB = BOARD.offset("function"), BOARD.offset("weights"), BOARD.offset("job")
ROWS, CHUNK, CHUNKS = BOARD.offset("rows"), BOARD.offset("chunk"), BOARD.offset("chunks")
IS_OPEN = BOARD.offset("is_open")
# The lines of the threads follow the board: those of the helpers, then the caller's.
THREADS, THREAD_SIZE = BOARD.size, THREAD.size
IS_ASLEEP, SCRATCH = THREAD.offset("is_asleep"), THREAD.offset("scratch")
AWAKE, ASLEEP = 0, 1


def _take(board: int) -> int:
    """Takes a chunk for the caller; returns how many were left before, or 0 where there was none to take."""
    while True:
        word = load_shared(board + LEFT)
        left: int = word & 0xFFFFFFFF
        if left == 0:
            return 0
        if swap_shared(board + LEFT, word, word - 1):
            return left


def work(board: int, own: int) -> int:
    """Takes chunks until there are none; returns how many it took.

    Args:
        board: address of the team's board.
        own: address of the thread's line.
    """
    taken = 0
    while True:
        left = _take(board)
        if left == 0:
            return taken
        taken += 1
        chunk, rows = load_word(board + CHUNK), load_word(board + ROWS)
        first = (load_word(board + CHUNKS) - left) * chunk
        function, weights, job = load_word(board + FUNCTION), load_word(board + WEIGHTS), load_word(board + JOB)
        call_kernel(function, weights, job, first, min(rows, first + chunk), load_word(own + SCRATCH))
        add_shared(board + DONE, 1)
