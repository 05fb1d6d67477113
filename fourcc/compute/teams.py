"""Running of a kernel over rows, on the process's team of threads."""

from __future__ import annotations

import os
from threading import RLock
from typing import TYPE_CHECKING

from fourcc.threads import thread_count

if TYPE_CHECKING:
    from fourcc.arrays import Array
    from fourcc.kernels.compiler.jit import KernelFunction
    from fourcc.kernels.threads.thread_team import Team


class _Teams:
    """The process's teams of threads, one for each number of threads; new ones after a fork."""

    def __init__(self) -> None:
        self._teams: dict[tuple[int, int], Team] = {}
        self._lock = RLock()

    def __getitem__(self, threads: int) -> Team:
        from fourcc.kernels.compiler import jit
        from fourcc.kernels.threads.thread_team import Team

        key = (os.getpid(), 1 if jit.uncompiled() else threads)
        with self._lock:
            if key not in self._teams:
                self._teams[key] = Team(key[1])
            return self._teams[key]


_teams = _Teams()


def team_of(threads: int | None = None) -> Team:
    """The process's team of a number of threads."""
    return _teams[thread_count(threads)]


def run(  # noqa: PLR0913 - a kernel's arguments, and how its rows are shared out
    kernel: KernelFunction,
    weights: Array,
    job: Array,
    *,
    rows: int,
    align: int,
    threads: int | None = None,
    scratch: int = 0,
    chunk: int | None = None,
) -> None:
    """Runs a kernel over rows, shared among the threads of a team.

    Args:
        kernel: a function of `fourcc.kernels`.
        weights: a matrix's descriptor.
        job: a job's descriptor.
        rows: how many.
        align: rows are cut at multiples of this.
        threads: how many.
        scratch: bytes that a thread needs.
        chunk: rows that a thread takes at once; None: several chunks for each thread.
    """
    from fourcc.kernels.compiler import jit
    from fourcc.kernels.threads.thread_team import Split

    team = team_of(threads)
    split = Split(rows, chunk, scratch) if chunk else Split.evenly(rows, align, team.threads, scratch)
    team.run(jit.compiled(kernel), weights, job, split)
