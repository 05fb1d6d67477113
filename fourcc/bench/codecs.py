"""The speed at which a format's kernels decode and encode."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from math import lcm

import attrs

from fourcc import compute
from fourcc.arrays import Array
from fourcc.bench.matrices import FLOAT_BYTES, aligned, weights
from fourcc.bench.timing import Rates, Series
from fourcc.kernels.compiler.jit import KernelFunction
from fourcc.kernels.descriptors import JOB, address
from fourcc.kernels.descriptors import matrix as descriptor_of
from fourcc.kernels.encoders.block_by_block import SCRATCH
from fourcc.qmatrix import QMatrix
from fourcc.settings import complete

SECONDS = 0.1  # of a sample, for each thread: slow encoders get fewer rows
FEW = 128  # rows of the first sample, which tells how slow a coder is


@attrs.frozen(eq=False)
class Coding:
    """Decoding, or encoding.

    Attributes:
        series: the samples.
        nbytes: of a sample's weights, as float32.
    """

    series: Series
    nbytes: int

    @property
    def rates(self) -> Rates:
        """Bytes of float32 a second."""
        return self.series.timing.rates(self.nbytes)


@attrs.frozen(eq=False)
class Codec:
    """Decoding and encoding of one matrix by some threads.

    Attributes:
        tag: of the format.
        rows, cols: of the matrix.
        threads: how many.
        decode, encode: None where the format's kernel has none.
    """

    tag: str
    rows: int
    cols: int
    threads: int
    decode: Coding | None
    encode: Coding | None

    def series(self) -> list[Series]:
        """All series of it."""
        return [each.series for each in (self.decode, self.encode) if each is not None]


def codec(matrix: QMatrix, threads: int) -> Codec:
    """The codec to measure of a format's kernels.

    Args:
        matrix: in the format; it is not changed.
        threads: how many.
    """
    fmt = matrix.format
    kernel = compute.kernel_of(fmt, matrix.params)
    stored = kernel.level != "decode"
    encoder = kernel.encoder(complete(fmt.options, {})) if stored and kernel.encoder is not None else None
    decoder = kernel.decode if stored else None
    work = None if encoder is None and decoder is None else _Work(matrix, kernel.parts, kernel.row_align, threads)
    rows, cols = matrix.shape
    return Codec(
        str(matrix.tag),
        rows,
        cols,
        threads,
        None if work is None or decoder is None else work.decoding(decoder),
        None if work is None or encoder is None else work.encoding(encoder),
    )


def rows_of_a_sample(code_few: Callable[[], object], few: int, rows: int, threads: int) -> int:
    """Number of rows that a sample of coding has time for.

    Args:
        code_few: codes a few rows, which is timed.
        few: how many.
        rows: of the matrix.
        threads: that a sample uses.
    """
    start = time.perf_counter()
    code_few()
    times = SECONDS * threads / max(time.perf_counter() - start, 1e-9)
    return min(rows, max(1, int(times)) * few)


class _Work:
    """A matrix as decoders and encoders take it.

    Args:
        matrix: it is not changed.
        names: of the parts, in the kernel's order.
        align: rows are cut at multiples of this, and of the format's blocks.
        threads: how many.
    """

    def __init__(self, matrix: QMatrix, names: tuple[str, ...], align: int, threads: int) -> None:
        self._rows, self._cols = matrix.shape
        self._name = f"{matrix.tag} {self._rows} x {self._cols}, {threads} thread{'s' * (threads > 1)}"
        self._parts = [aligned(matrix.parts[name]) for name in names]
        self._floats = aligned(weights(self._rows, self._cols))
        self._descriptor = descriptor_of(self._rows, self._cols, self._parts)
        self._align = lcm(align, matrix.format.block[0] or self._rows)
        self._threads = threads

    def decoding(self, kernel: KernelFunction) -> Coding:
        """Decoding into the floats."""
        job = JOB.record(out=address(self._floats), out_stride=FLOAT_BYTES * self._cols)
        return self._coding("decoding", kernel, job)

    def encoding(self, kernel: KernelFunction) -> Coding:
        """Encoding of the floats."""
        job = JOB.record(x=address(self._floats), x_stride=FLOAT_BYTES * self._cols)
        return self._coding("encoding", kernel, job)

    def _coding(self, what: str, kernel: KernelFunction, job: Array) -> Coding:
        """Decoding or encoding of as many rows as a sample has time for; progress calls it `what`."""
        few = min(self._rows, lcm(FEW, self._align))
        self._run(kernel, job, few)  # compiled, if need be
        rows = rows_of_a_sample(lambda: self._run(kernel, job, few), few, self._rows, self._threads)
        work = partial(self._run, kernel, job, rows)
        return Coding(Series(f"{what} {self._name}", work, repeats=2), FLOAT_BYTES * rows * self._cols)

    def _run(self, kernel: KernelFunction, job: Array, rows: int) -> None:
        JOB.write(job, count=rows)
        compute.run(kernel, self._descriptor, job, rows=rows, align=self._align, threads=self._threads, scratch=SCRATCH)
