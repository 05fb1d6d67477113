"""Fourcc's own products: a rotation through many matrices as one job of the thread team."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from fourcc import compute
from fourcc.arrays import Array
from fourcc.bench.limits import READ, Limit, Limits
from fourcc.bench.matrices import activations
from fourcc.bench.timing import Series, Timing, ratio
from fourcc.kernels.compiler import jit
from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.measuring import roofline
from fourcc.kernels.threads.thread_team import Split
from fourcc.qmatrix import QMatrix

LONGEST = 20_000_000_000  # operations of a rotation; a product with so many does not wait for memory
MANY = 64  # activations from which on calculation bounds a product: its samples are long
PREPARATIONS = 64  # of a sample


def shortened(matrices: int, weights: int, count: int) -> int:
    """Number of matrices that a sample goes through in turn: all, or as many as keep it short."""
    return max(1, min(matrices, LONGEST // (2 * weights * count)))


@attrs.define(eq=False)
class Product:
    """Products of the matrices of one format with some activations, by some threads.

    Attributes:
        tag: of the format.
        level: of its kernel.
        rows, cols: of each matrix.
        count: activations.
        threads: how many.
        nbytes: bytes of a stored matrix.
        peak: the kind of numbers that it multiplies, whose peak bounds it if memory does not.
        matrices: number of matrices of a rotation.
        limit: the limit that bounds it, measured beside it.
        rotation: the products, one matrix after the other.
        preparation: of the activations; None if they are taken as they come.
        call: the same products, each a call from Python; None for several activations.
    """

    tag: str
    level: str
    rows: int
    cols: int
    count: int
    threads: int
    nbytes: int
    peak: str
    matrices: int
    limit: Limit
    rotation: Series
    preparation: Series | None
    call: Series | None

    @property
    def operations(self) -> int:
        """Operations of one product: a multiplication and an addition count as two."""
        return 2 * self.rows * self.cols * self.count

    @property
    def timing(self) -> Timing:
        """The timing of one product."""
        return self.rotation.timing.scaled(1 / self.matrices)

    @property
    def prepared(self) -> Timing | None:
        """The timing of preparing the activations of one product."""
        return None if self.preparation is None else self.preparation.timing.scaled(1 / PREPARATIONS)

    @property
    def called(self) -> Timing | None:
        """The timing of one product that Python calls."""
        return None if self.call is None else self.call.timing.scaled(1 / self.matrices)

    @property
    def best(self) -> float:
        """Seconds of the fastest product, and of the fastest preparation of its activations."""
        return self.timing.best + (0.0 if self.prepared is None else self.prepared.best)

    @property
    def seconds(self) -> list[float]:
        """Seconds of a product, with its preparation, for each turn."""
        prepared = [0.0] * len(self.rotation.turns) if self.preparation is None else self.preparation.bests
        pairs = zip(self.rotation.bests, prepared, strict=True)
        return [product / self.matrices + each / PREPARATIONS for product, each in pairs]

    @property
    def share(self) -> float:
        """The share of its limit that it reaches: the median of the turns' shares."""
        assert self.rotation.beside is not None
        amount = (self.nbytes if self.limit.what == READ else self.operations) * self.matrices
        return amount / self.limit.amount * ratio(self.rotation.beside.bests, self.rotation.bests)

    def series(self) -> list[Series]:
        """All series of it."""
        return [each for each in (self.rotation, self.preparation, self.call) if each is not None]


def product(matrices: Sequence[QMatrix], count: int, threads: int, limits: Limits) -> Product:
    """The product to measure of some matrices.

    Args:
        matrices: of one format and shape, packed.
        count: activations.
        threads: how many.
        limits: of the machine.
    """
    first = matrices[0]
    rows, cols = first.shape
    kernel = first.packed.kernel
    some = matrices[: shortened(len(matrices), rows * cols, count)]
    name = f"{first.tag} {rows} x {cols}, n = {count}, {threads} thread{'s' * (threads > 1)}"
    rotation = Rotation(some, count, threads)
    peak = roofline.multiplied(kernel.tile)
    limit = limits[READ if count < MANY else peak, threads]
    repeats = 4 if count < MANY else 1
    return Product(
        tag=str(first.tag),
        level=kernel.level,
        rows=rows,
        cols=cols,
        count=count,
        threads=threads,
        nbytes=first.nbytes,
        peak=peak,
        matrices=len(some),
        limit=limit,
        rotation=Series(name, rotation.run, repeats=repeats, beside=limit.measured()),
        preparation=None if kernel.activation.prepare is None else Series(name, rotation.prepare),
        call=Series(name, rotation.call, repeats=1) if count == 1 else None,
    )


class Rotation:
    """Some matrices, their activations, and the memory of their products, as compiled code takes them.

    Args:
        matrices: of one format and shape, packed.
        count: activations.
        threads: how many.
    """

    def __init__(self, matrices: Sequence[QMatrix], count: int, threads: int) -> None:
        self._matrices = matrices
        self._threads = threads
        self._packed = [each.packed for each in matrices]
        self._kernel = self._packed[0].kernel
        rows, cols = matrices[0].shape
        self._x = activations(count, cols)
        self._prepared = compute.prepare(self._packed[0], self._x, threads)
        self._out = np.empty((count, rows), np.float32)
        self._job = compute.product_job(self._prepared, self._out)
        self._scratch = self._kernel.scratch(cols)
        share = Split.evenly(rows, self._kernel.row_align, threads).chunk
        self._products = self._table(self._kernel.tile, [each.descriptor for each in self._packed], rows, share)
        if self._kernel.activation.prepare is not None:
            first = [self._packed[0].descriptor] * PREPARATIONS
            share = Split.evenly(count, 1, threads).chunk
            self._preparations = self._table(self._kernel.activation.prepare, first, count, share)
        self.run()

    def _table(self, kernel: KernelFunction, descriptors: Sequence[Array], rows: int, chunk: int) -> _Table:
        """A table in which each matrix begins with a chunk of its own, so that no chunk has rows of two matrices."""
        step = -(-rows // chunk) * chunk
        jobs = [self._job] * len(descriptors)
        words = roofline.rotation(jit.compiled(kernel), descriptors, jobs, rows, step)
        return _Table(words, step * len(descriptors), chunk)

    def run(self) -> None:
        """Computes all products."""
        self._run(self._products, self._threads)

    def prepare(self) -> None:
        """Prepares the activations `PREPARATIONS` times; one thread quantizes a single activation."""
        self._run(self._preparations, min(self._threads, len(self._x)))

    def call(self) -> None:
        """Computes all products, each by a call from Python."""
        for each in self._matrices:
            each.matmul(self._x, self._threads)

    def _run(self, table: _Table, threads: int) -> None:
        compute.run(
            roofline.rotate,
            table.words,
            self._job,
            rows=table.rows,
            align=1,
            threads=threads,
            scratch=self._scratch,
            chunk=table.chunk,
        )


@attrs.frozen(eq=False)
class _Table:
    """A table that `roofline.rotate` runs through.

    Attributes:
        words: int64.
        rows: of all matrices, with those that fill up a matrix's last chunk.
        chunk: rows that a thread takes at once.
    """

    words: Array
    rows: int
    chunk: int
