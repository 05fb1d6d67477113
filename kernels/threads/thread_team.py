"""A team of threads that share the rows of one job after another.

The rows of a job are cut into chunks, and a thread takes the next chunk that nobody has. The word that says how many
are left also holds the job's number, and is changed by compare-and-swap alone; so a thread that comes late, or was
asleep, takes either a chunk of the job that is under way or nothing, and nobody ever waits for a thread that has taken
none. A helper that finds nothing to do spins a bounded number of turns, then sleeps; a job wakes it.

numba's own parallel layers are not used: one dies on fork, another aborts when two Python threads enter it, and each
region costs 5 to 20 us.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from threading import Lock, Thread

import numpy as np

from fourcc.kernels.compiler import jit
from fourcc.kernels.descriptors import Array, address
from fourcc.kernels.simd.atomic import load_shared, relax, store_shared, swap_shared
from fourcc.kernels.simd.memory import load_word
from fourcc.kernels.threads.board import (
    ASLEEP,
    AWAKE,
    BOARD,
    CHUNKS,
    DONE,
    FUNCTION,
    LEFT,
    LINE,
    OWN,
    SCRATCH,
    work,
)
from fourcc.kernels.threads.program import run_steps

SHARES = 8  # chunks a thread: fewer, and one late thread makes the others wait
SPINS = 4000  # turns of a helper before it sleeps: some 100 us
PATIENCE = 2000  # turns of a caller before it gives its core away


def _open(board: int, job: int, first: int, last: int, own: int) -> None:  # noqa: ARG001
    """Opens a job: who is awake begins at once."""
    store_shared(board + LEFT, job)


def _lead(board: int, job: int, spins: int, last: int, own: int) -> None:  # noqa: ARG001
    """The caller's part: works, then waits a bounded time for chunks that others have."""
    work(board, own)
    for _ in range(spins):
        if load_shared(board + DONE) == load_word(board + CHUNKS):
            return
        relax()


def _help(board: int, sleeper: int, spins: int, last: int, own: int) -> None:  # noqa: ARG001
    """A helper's part: works whenever there is work; goes to sleep after some turns without any.

    Who opens a job looks for sleepers afterwards, and who falls asleep looks for a job afterwards: one sees the other.
    """
    idle = 0
    while idle < spins:
        if work(board, own):
            idle = 0
        relax()
        idle += 1
        if idle == spins and swap_shared(sleeper, AWAKE, ASLEEP) and load_shared(board + LEFT) & 0xFFFFFFFF:
            idle = spins - swap_shared(sleeper, ASLEEP, AWAKE)  # unless it is being woken already


COMPILED = (_open, _lead, _help)  # what every team of several threads runs


class Team:
    """Threads that work on one job at a time.

    Args:
        threads: how many, the caller's included.
    """

    def __init__(self, threads: int) -> None:
        self.threads = threads
        self.process = os.getpid()
        self._board = _lines(BOARD + threads)
        self._at = address(self._board)
        self._number = 0
        self._scratch_size = 0  # bytes of each
        self._scratch = [_lines(1) for _ in range(threads)]
        self._busy = Lock()
        if threads > 1:
            self._open, self._lead, self._help = map(jit.compiled, COMPILED)
        self._wake = [Lock() for _ in range(threads - 1)]
        for index, lock in enumerate(self._wake):
            lock.acquire()
            Thread(target=self._helper, args=(index, lock), name=f"fourcc-{index + 1}", daemon=True).start()

    def run(self, kernel: jit.KernelFunction, weights: Array, job: Array, split: Split) -> None:
        """Runs a kernel over a job's rows; returns when all are done.

        Args:
            kernel: compiled, or not.
            weights: a matrix's descriptor.
            job: a job's descriptor.
            split: the rows.
        """
        if not self._busy.acquire(blocking=False):  # another Python thread has the team: this one does not wait
            spare = _lines(split.scratch // LINE + 1)
            kernel(address(weights), address(job), 0, split.rows, address(spare))
            return
        try:
            self._give_scratch(split.scratch)
            if self.threads == 1 or split.chunks < 2:
                kernel(address(weights), address(job), 0, split.rows, address(self._scratch[-1]))
            else:
                self._share(kernel, address(weights), address(job), split)
        finally:
            self._busy.release()

    def _share(self, kernel: jit.KernelFunction, weights: int, job: int, split: Split) -> None:
        """Opens the job to all threads, works, and waits; a core that others need is given away meanwhile."""
        assert isinstance(kernel, jit.Compiled)
        board, own = self._board, self._at + OWN + LINE * (self.threads - 1) + SCRATCH
        board[DONE // 8] = 0
        fields = (kernel.address, weights, job, split.rows, split.chunk, split.chunks)
        board[FUNCTION // 8 : CHUNKS // 8 + 1] = fields
        self._number = (self._number + 1) & 0x7FFFFFFF
        try:
            self._open(self._at, self._number << 32 | split.chunks, 0, 0, own)
            self._wake_up()
            self._lead(self._at, 0, PATIENCE, 0, own)
        finally:  # an interrupted caller waits, too: others are still at work on its memory
            while board[DONE // 8] != split.chunks:
                _give_way()
                self._lead(self._at, 0, PATIENCE, 0, own)

    def run_program(self, program: Array, scratch: int) -> None:
        """Runs the steps of a program, one after the other; returns when all are done.

        Args:
            program: int64 (steps, STEP_WORDS), see `fourcc.kernels.threads.program`.
            scratch: bytes of scratch memory that a thread needs.
        """
        run = jit.compiled(run_steps)
        with self._busy:
            self._give_scratch(max(scratch, LINE))
            own = self._at + OWN + LINE * (self.threads - 1) + SCRATCH
            state = _lines(1)
            state[:3] = address(program), 0, self._number
            try:
                self._wake_up()
                run(self._at, address(state), PATIENCE, len(program), own)
            finally:  # an interrupted caller waits, too: others are still at work on its memory
                while state[1] < len(program):
                    if not self._wake_up():
                        _give_way()
                    run(self._at, address(state), PATIENCE, len(program), own)
                self._number = int(state[2])

    def _helper(self, index: int, wake: Lock) -> None:
        own = self._at + OWN + LINE * index
        while True:
            self._help(self._at, own, SPINS, 0, own + SCRATCH)
            wake.acquire()

    def _wake_up(self) -> bool:
        """Wakes the helpers that are asleep; returns whether there was one."""
        found = False
        for index, lock in enumerate(self._wake):
            word = (OWN + LINE * index) // 8
            if self._board[word] == ASLEEP:
                self._board[word], found = AWAKE, True
                if lock.locked():  # else the last waking is yet to be seen
                    lock.release()
        return found

    def _give_scratch(self, size: int) -> None:
        """Memory of the threads' own; nobody uses it between jobs."""
        if size <= self._scratch_size:
            return
        self._scratch = [_lines(size // LINE + 1) for _ in range(self.threads)]
        self._scratch_size = size
        for index, memory in enumerate(self._scratch):
            self._board[(OWN + LINE * index + SCRATCH) // 8] = address(memory)


@dataclass(frozen=True)
class Split:
    """How a job's rows are shared out.

    Attributes:
        rows: how many.
        chunk: rows that a thread takes at once.
        scratch: bytes of scratch memory that a thread needs.
    """

    rows: int
    chunk: int
    scratch: int = 0

    @property
    def chunks(self) -> int:
        """How many there are to take."""
        return -(-self.rows // self.chunk)

    @classmethod
    def evenly(cls, rows: int, align: int, threads: int, scratch: int = 0) -> Split:
        """Some chunks for each thread, cut at multiples of `align`."""
        wanted = -(-rows // (SHARES * threads))
        return cls(rows, max(align, -(-wanted // align) * align), scratch)


def _give_way() -> None:
    if hasattr(os, "sched_yield"):
        os.sched_yield()
    else:
        time.sleep(0)


def _lines(count: int) -> Array:
    """Zeroed int64 words that begin on a cache line."""
    words = np.zeros(LINE // 8 * (count + 1), np.int64)
    skip = -address(words) % LINE // 8
    return words[skip : skip + LINE // 8 * count]
