"""The board of a thread team: the words that say which job is open, and how a thread takes a chunk of it."""

from __future__ import annotations

from fourcc.kernels.simd.atomic import add_shared, call_kernel, load_shared, swap_shared
from fourcc.kernels.simd.memory import load_word

# Words of the board, each on a cache line of its own where threads write it.
LINE = 64
LEFT = 0  # job number << 32 | chunks that nobody has taken
DONE = LINE  # chunks finished
FUNCTION, WEIGHTS, JOB, ROWS, CHUNK, CHUNKS = (2 * LINE + 8 * word for word in range(6))
OPEN = 2 * LINE + 48  # whether a program's step is under way (`fourcc.kernels.threads.program`)
# The first helper's line: whether it sleeps, then the address of its scratch memory. The caller's is the last one.
OWN = 3 * LINE
SCRATCH = 8  # where in its line a thread has that address
BOARD = 3  # lines before the threads' own
AWAKE, ASLEEP = 0, 1


def _take(board: int) -> int:
    """Chunks that were left, this one included, or 0 where there was none; the chunk is then the caller's."""
    while True:
        word = load_shared(board + LEFT)
        left: int = word & 0xFFFFFFFF
        if left == 0:
            return 0
        if swap_shared(board + LEFT, word, word - 1):
            return left


def work(board: int, own: int) -> int:
    """Takes chunks until there are none; returns how many it had. At `own` is the address of its scratch memory."""
    had = 0
    while True:
        left = _take(board)
        if left == 0:
            return had
        had += 1
        chunk, rows = load_word(board + CHUNK), load_word(board + ROWS)
        first = (load_word(board + CHUNKS) - left) * chunk
        function, weights, job = load_word(board + FUNCTION), load_word(board + WEIGHTS), load_word(board + JOB)
        call_kernel(function, weights, job, first, min(rows, first + chunk), load_word(own))
        add_shared(board + DONE, 1)
