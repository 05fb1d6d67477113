"""Preparing of activations, multiplying, looking up rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.compute.teams import run
from fourcc.kernels.descriptors import BLOCK, JOB, LINE, address, empty, round_up

if TYPE_CHECKING:
    from fourcc.arrays import Array, Floats
    from fourcc.compute.packed import Packed
    from fourcc.kernels.compiler.jit import KernelFunction
    from fourcc.kernels.kernel import Activation

COLUMNS = 512  # activations that are multiplied at once: this bounds the memory of a product with very many


@attrs.frozen(eq=False)
class Activations:
    """Activations as one kind of kernel takes them.

    Attributes:
        count: how many.
        cols: of each.
        descriptor: int64, for the kernel; the product's address is written for each product.
        arrays: the arrays that the descriptors point into.
        given: the descriptor of the activations as they came, where sparse weights multiply these; else None.
    """

    count: int
    cols: int
    descriptor: Array
    arrays: tuple[Array, ...]
    given: Array | None = None


def prepare(packed: Packed, x: Floats, threads: int | None = None, *, exact: bool = False) -> Activations:
    """Activations as the kernel of a packed matrix takes them, and every other kernel with the same kind of activation.

    Args:
        packed: the matrix.
        x: float32 (count, cols).
        threads: how many.
        exact: keep them as floats, even if the kernel takes codes.

    Raises:
        PluginError: the format's turn breaks.
    """
    from fourcc.kernels.kernel import FLOAT

    activation: Activation = FLOAT if exact else packed.kernel.activation
    count, cols = x.shape
    wide = round_up(cols)
    floats = _padded(x if packed.turning is None else packed.turning.forward(x), wide)
    quantized = quantized_memory(activation, count, wide)
    job = activation_job(count, wide, floats, quantized)
    quantize = quantizing(packed, activation, job)
    if quantize is not None:
        run(quantize, packed.descriptor, job, rows=count, align=1, threads=threads)
    if packed.beside is None:
        return Activations(count, cols, job, (floats, *quantized))
    given = _padded(x, wide)
    return Activations(count, cols, job, (floats, *quantized, given), activation_job(count, wide, given, ()))


def quantizing(packed: Packed, activation: Activation, job: Array) -> KernelFunction | None:
    """The kernel that brings activations into their form for a matrix: by its static ranges where it has some.

    None where they are taken as they came.

    Args:
        packed: the matrix.
        activation: the form.
        job: of the activations; the ranges' address is written to it.
    """
    if packed.ranges is None or activation.static is None:
        return activation.prepare
    JOB.write(job, ranges=address(packed.ranges))
    return activation.static


def quantized_memory(activation: Activation, rows: int, wide: int) -> tuple[Array, ...]:
    """Memory for `rows` times `wide` quantized activations: codes, then scales, zero corrections and sums.

    Empty if the kernel takes the floats as they came.
    """
    if activation.prepare is None:
        return ()
    numbers = empty(3 * rows * (wide // BLOCK), "<f4").reshape(3, rows, wide // BLOCK)
    width = wide * activation.width
    return (empty(rows * width).reshape(rows, width), *numbers)


def activation_job(count: int, wide: int, floats: Floats, quantized: tuple[Array, ...]) -> Array:
    """The job of some activations; the product's address is yet to be written.

    Args:
        count: activations.
        wide: columns of each, zeros included.
        floats: of the activations, one after the other.
        quantized: the arrays of `quantized_memory`.
    """
    job = JOB.record(count=count, x=address(floats), x_stride=4 * wide)
    if quantized:
        codes, scales, zero_corrections, sums = quantized
        JOB.write(job, codes=address(codes), codes_stride=codes.strides[0])
        JOB.write(job, scales=address(scales), scales_stride=scales.strides[0])
        JOB.write(job, zero_corrections=address(zero_corrections), sums=address(sums))
    return job


def _padded(x: Floats, wide: int) -> Floats:
    """The activations, followed by zeros: float32 (count, wide), C-contiguous, at the start of a cache line."""
    if x.shape[1] == wide and x.flags.c_contiguous and not address(x) % LINE:
        return x
    out = empty(len(x) * wide, "<f4").reshape(len(x), wide)
    out[:, : x.shape[1]] = x
    out[:, x.shape[1] :] = 0
    return out


def multiply(packed: Packed, x: Activations, out: Floats, threads: int | None = None, *, exact: bool = False) -> None:
    """The product of a packed matrix with prepared activations.

    Args:
        packed: rows, columns.
        x: prepared for its kernel, or exactly.
        out: float32 (count, rows), C-contiguous; it is filled.
        threads: how many.
        exact: the activations are floats.

    Raises:
        ValueError: the shapes do not fit.
    """
    if x.cols != packed.cols or out.shape != (x.count, packed.rows) or not out.flags.c_contiguous:
        raise ValueError(f"{packed.rows} x {packed.cols} times {x.count} x {x.cols} into {out.shape}")
    if not out.size:
        return
    if not packed.cols:
        out[...] = 0
        return
    kernel = packed.kernel
    job = product_job(x, out)
    run(
        kernel.exact if exact else kernel.tile,
        packed.descriptor,
        job,
        rows=packed.rows,
        align=kernel.row_align,
        threads=threads,
        scratch=kernel.scratch(packed.cols),
    )
    if packed.beside is not None:
        from fourcc.kernels.fusing.sparse_rows import add_sparse_products

        assert x.given is not None
        job = _job_into(x.given, out)
        run(add_sparse_products, packed.beside.descriptor, job, rows=packed.rows, align=1, threads=threads)


def product_job(x: Activations, out: Floats) -> Array:
    """The job of a product with prepared activations.

    Args:
        x: the activations.
        out: float32 (count, rows), C-contiguous.
    """
    return _job_into(x.descriptor, out)


def _job_into(job: Array, out: Floats) -> Array:
    """A copy of a job that writes to `out`."""
    job = job.copy()
    JOB.write(job, out=address(out), out_stride=out.strides[0])
    return job


def matmul(packed: Packed, x: Floats, threads: int | None = None, *, exact: bool = False) -> Floats:
    """x times the matrix, transposed: float32 (count, cols) -> (count, rows).

    Args:
        packed: rows, columns.
        x: activations.
        threads: how many; None: ``FOURCC_THREADS``, or the cores that this process may use.
        exact: keep the activations as floats, even if the kernel takes codes.
    """
    out = np.empty((len(x), packed.rows), np.float32)
    for first in range(0, len(x), COLUMNS):
        some = slice(first, first + COLUMNS)
        prepared = prepare(packed, x[some], threads, exact=exact)
        multiply(packed, prepared, out[some], threads, exact=exact)
    return out


def gather(packed: Packed, ids: Array) -> Floats:
    """Rows of a packed matrix by number, as embeddings are looked up: float32 (count, cols).

    Args:
        packed: rows, columns.
        ids: integers (count,), each from 0 to rows - 1.

    Raises:
        ValueError: no row has one of the numbers.
    """
    numbers = np.ascontiguousarray(ids, np.int64)
    if numbers.size and not (numbers.min() >= 0 and numbers.max() < packed.rows):
        raise ValueError(f"rows {numbers.min()} to {numbers.max()} of {packed.rows}")
    out = np.empty((len(numbers), packed.cols), np.float32)
    if out.size:
        job = JOB.record(count=len(numbers), out=address(out), out_stride=out.strides[0], x=address(numbers))
        kernel = packed.kernel
        run(
            kernel.gather,
            packed.descriptor,
            job,
            rows=len(numbers),
            align=1,
            threads=1,
            scratch=kernel.scratch(packed.cols),
        )
    return finished_rows(packed, out, numbers) if out.size else out


def finished_rows(packed: Packed, rows: Floats, numbers: Array) -> Floats:
    """Rows as the matrix has them, from those that its kernel gathers: turned back, with what the kernel does not add.

    Args:
        packed: the matrix.
        rows: float32 (count, cols).
        numbers: of the rows (count,).
    """
    if packed.turning is None:
        return rows
    turned = packed.turning.back(rows)
    if packed.beside is not None:
        turned = np.array(turned)
        packed.beside.add_to(turned, numbers)
    return turned
