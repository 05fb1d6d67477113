"""A table of steps, each a kernel with its two descriptors, that a team of threads runs in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fourcc.compute.python_steps import PythonStep, raise_first
from fourcc.compute.teams import team_of
from fourcc.kernels.compiler import jit
from fourcc.kernels.descriptors import JOB, LINE, STEP, address, empty
from fourcc.kernels.threads.thread_team import Split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from fourcc.arrays import Array
    from fourcc.kernels.compiler.jit import KernelFunction


class StepTable:
    """Steps in the order in which they were added.

    Args:
        threads: how many.

    Attributes:
        threads: how many.
    """

    def __init__(self, threads: int) -> None:
        self._team = team_of(threads)
        self.threads = self._team.threads
        self._kept: list[object] = []
        self._steps: list[tuple[KernelFunction, Array, Array, int, int]] = []
        self._scratch = 0
        self._table: Array | None = None
        self._python: list[PythonStep] = []

    def call(self, work: Callable[[], None]) -> None:
        """Adds a step in Python; what it raises is raised once all steps have run."""
        step = PythonStep(work)
        self._python.append(step)
        self._add(step, JOB.record(), JOB.record(), 1)

    def _add(
        self, kernel: KernelFunction, weights: Array, job: Array, rows: int, scratch: int = 0, align: int | None = None
    ) -> None:
        """Adds a step. With `align` None its rows are activations, shared evenly among the threads."""
        chunk = -(-rows // self._team.threads) if align is None else align
        if align is not None and rows > align:
            chunk = Split.evenly(rows, align, self._team.threads).chunk
        self.add_step(kernel, weights, job, Split(rows, max(1, chunk), scratch))

    def add_step(
        self, kernel: KernelFunction, weights: Array, job: Array, split: Split, keep: Iterable[object] = ()
    ) -> None:
        """Adds a step of any kernel.

        Args:
            kernel: the kernel.
            weights: its first descriptor.
            job: its second.
            split: its rows.
            keep: what the descriptors point into; it lives as long as the table.
        """
        self._steps.append((kernel, weights, job, split.rows, split.chunk))
        self._scratch = max(self._scratch, split.scratch)
        self._kept += keep

    # -- running

    def run(self) -> None:
        """Runs all steps. Raises PluginError, after them, where a format's turn breaks."""
        if jit.uncompiled():
            self._run_uncompiled()
        else:
            if self._table is None:
                self._table = self._compiled()
            self._team.run_program(self._table, self._scratch)
        raise_first(self._python)

    def _compiled(self) -> Array:
        table = STEP.table(len(self._steps))
        for row, (kernel, weights, job, rows, chunk) in zip(table, self._steps, strict=True):
            compiled = kernel if isinstance(kernel, PythonStep) else jit.compiled(kernel)
            assert isinstance(compiled, (PythonStep, jit.Compiled))
            STEP.write(row, function=compiled.address, weights=address(weights), job=address(job))
            STEP.write(row, rows=rows, chunk=chunk)
        return table

    def _run_uncompiled(self) -> None:
        scratch = empty(max(LINE, self._scratch))
        for kernel, weights, job, rows, _ in self._steps:
            kernel(address(weights), address(job), 0, rows, address(scratch))
