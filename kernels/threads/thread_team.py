"""A team of threads that share the rows of one job after another.

The rows of a job are cut into chunks, and a thread takes the next chunk that nobody has taken. The word that counts the
chunks left also holds the job's number, and only compare-and-swap changes it. So a thread that comes late, or was
asleep, takes a chunk of the job under way or nothing, and nobody waits for a thread that has taken none. A helper
that finds nothing to do spins a bounded number of turns, then sleeps; a job wakes it.

numba's own parallel layers are not used: one dies on fork, another aborts when two Python threads enter it, and each
parallel region costs 5 to 20 us.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from threading import Lock, Thread

from fourcc.kernels.compiler import jit
from fourcc.kernels.descriptors import BOARD, LINE, PROGRAM, THREAD, Array, address, zeros
from fourcc.kernels.simd.atomic import load_shared, relax, store_shared, swap_shared
from fourcc.kernels.simd.memory import load_word
from fourcc.kernels.threads.board import (
    ASLEEP,
    AWAKE,
    CHUNKS,
    DONE,
    IS_ASLEEP,
    LEFT,
    THREAD_SIZE,
    THREADS,
    work,
)
from fourcc.kernels.threads.program import run_steps

SHARES = 8  # chunks a thread: with fewer, one late thread makes the others wait
SPINS = 4000  # turns of a helper before it sleeps: some 100 us
PATIENCE = 2000  # turns of a caller before it gives its core away


def _open(board: int, job: int, first: int, last: int, own: int) -> None:
    """Opens a job; helpers that are awake begin at once."""
    store_shared(board + LEFT, job)


def _lead(board: int, job: int, spins: int, last: int, own: int) -> None:
    """The caller's part: works, then waits at most `spins` turns for the chunks that others have taken."""
    work(board, own)
    for _ in range(spins):
        if load_shared(board + DONE) == load_word(board + CHUNKS):
            return
        relax()


def _help(board: int, job: int, spins: int, last: int, own: int) -> None:
    """A helper's part: works whenever there is work; goes to sleep after `spins` turns without any.

    The caller opens a job first and looks for sleepers then; a helper falls asleep first and looks for a job then. So
    at least one of the two sees the other.
    """
    idle, sleeper = 0, own + IS_ASLEEP
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
        memory = zeros(THREADS + THREAD_SIZE * threads, "|u1")
        self._board = memory[:THREADS].view("<i8")
        self._at = address(memory)
        self._own = self._at + THREADS + THREAD_SIZE * (threads - 1)
        self._done = BOARD.fields(self._board)["done"]
        self._lines = memory[THREADS:].view(THREAD.dtype)  # of the threads
        self._asleep = self._lines["is_asleep"]
        self._number = 0
        self._scratch_size = 0  # bytes of a thread's
        self._scratch = [_lines(1) for _ in range(threads)]
        self._busy = Lock()
        self._program = PROGRAM.record()  # made once: a token of a small model takes less time than ten arrays
        self._program_at, self._state = address(self._program), PROGRAM.fields(self._program)
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
        if not self._busy.acquire(blocking=False):  # another Python thread uses the team: this one does not wait
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
        """Opens the job to all threads, works, and waits; while it waits, it yields its core to others."""
        assert isinstance(kernel, jit.Compiled)
        own, rows, chunk, chunks = self._own, split.rows, split.chunk, split.chunks
        place = {"function": kernel.address, "weights": weights, "job": job}
        BOARD.write(self._board, done=0, rows=rows, chunk=chunk, chunks=chunks, **place)
        self._number = (self._number + 1) & 0x7FFFFFFF
        try:
            self._open(self._at, self._number << 32 | chunks, 0, 0, own)
            self._wake_up()
            self._lead(self._at, 0, PATIENCE, 0, own)
        finally:  # an interrupted caller waits, too: others still work on its memory
            while int(self._done) != chunks:
                _yield_core()
                self._lead(self._at, 0, PATIENCE, 0, own)

    def run_program(self, program: Array, scratch: int) -> None:
        """Runs the steps of a program, one after the other; returns when all are done.

        Args:
            program: int64 (steps, words of a step), each row a `fourcc.kernels.descriptors.STEP`.
            scratch: bytes of scratch memory that a thread needs.
        """
        run = jit.compiled(run_steps)
        with self._busy:
            self._give_scratch(max(scratch, LINE))
            state, at = self._state, self._program_at
            PROGRAM.write(self._program, steps=address(program), next=0, number=self._number)
            try:
                self._wake_up()
                run(self._at, at, PATIENCE, len(program), self._own)
            finally:  # an interrupted caller waits, too: others still work on its memory
                while int(state["next"]) < len(program):
                    if not self._wake_up():
                        _yield_core()
                    run(self._at, at, PATIENCE, len(program), self._own)
                self._number = int(state["number"])

    def _helper(self, index: int, wake: Lock) -> None:
        own = self._at + THREADS + THREAD_SIZE * index
        while True:
            self._help(self._at, 0, SPINS, 0, own)
            wake.acquire()

    def _wake_up(self) -> bool:
        """Wakes the helpers that are asleep; returns whether there was one."""
        has_woken, asleep = False, self._asleep
        for index, lock in enumerate(self._wake):
            if asleep[index] == ASLEEP:
                asleep[index], has_woken = AWAKE, True
                if lock.locked():  # else the helper has not yet seen that it was woken before
                    lock.release()
        return has_woken

    def _give_scratch(self, size: int) -> None:
        """Gives each thread scratch memory of at least `size` bytes; nobody uses it between jobs."""
        if size <= self._scratch_size:
            return
        self._scratch = [_lines(size // LINE + 1) for _ in range(self.threads)]
        self._scratch_size = size
        self._lines["scratch"] = [address(memory) for memory in self._scratch]


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
        """How many chunks the rows make."""
        return -(-self.rows // self.chunk)

    @classmethod
    def evenly(cls, rows: int, align: int, threads: int, scratch: int = 0) -> Split:
        """Some chunks for each thread, cut at multiples of `align`."""
        wanted = -(-rows // (SHARES * threads))
        return cls(rows, max(align, -(-wanted // align) * align), scratch)


def _yield_core() -> None:
    if hasattr(os, "sched_yield"):
        os.sched_yield()
    else:
        time.sleep(0)


def _lines(count: int) -> Array:
    """Zeros of some cache lines."""
    return zeros(LINE * count, "|u1")
