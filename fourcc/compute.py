"""Products, decoding and encoding with compiled kernels: the only file of the core that imports `fourcc.kernels`.

A matrix is *packed* for its format's kernel once; activations are *prepared* once for all matrices that want the same
of them; then rows of the product are shared among the threads of one team.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from math import prod
from threading import RLock
from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.spec import FormatSpec, Geometry
from fourcc.threads import thread_count

if TYPE_CHECKING:
    from pathlib import Path

    from fourcc.format import Array, Floats, Format, Parts
    from fourcc.kernels.fused import BlockPart
    from fourcc.kernels.jit import Kernel as Entry
    from fourcc.kernels.kernel import Activation, Kernel
    from fourcc.kernels.team import Team

COLUMNS = 512  # activations that are multiplied at once: bounds the memory of a product with very many


@attrs.frozen(eq=False)
class Packed:
    """One matrix as its kernel takes it.

    Attributes:
        kernel: of the format.
        rows, cols: the matrix's shape.
        descriptor: int64, for the kernel.
        arrays: what the descriptor points into: the stored parts, or a packed copy.
    """

    kernel: Kernel
    rows: int
    cols: int
    descriptor: Array
    arrays: tuple[Array, ...]


@attrs.frozen(eq=False)
class Activations:
    """Activations as one kind of kernel takes them.

    Attributes:
        count: how many.
        cols: of each.
        descriptor: int64, for the kernel; the product's place is filled in for each product.
        arrays: what the descriptor points into.
    """

    count: int
    cols: int
    descriptor: Array
    arrays: tuple[Array, ...]


class _Teams:
    """The process's teams of threads, one for each number; made anew after a fork."""

    def __init__(self) -> None:
        self._made: dict[tuple[int, int], Team] = {}
        self._lock = RLock()

    def __getitem__(self, threads: int) -> Team:
        from fourcc.kernels import jit
        from fourcc.kernels.team import Team

        key = (os.getpid(), 1 if jit.uncompiled() else threads)
        with self._lock:
            if key not in self._made:
                self._made[key] = Team(key[1])
            return self._made[key]


_teams = _Teams()


# -- kernels of formats


_kernels: dict[Format, Kernel] = {}
_kernels_lock = RLock()


def kernel_of(found: Format) -> Kernel:
    """The kernel of a format: its own, or one made from its block decoder, or that of decoded weights.

    Raises:
        PluginError: the format's kernel cannot be had.
    """
    with _kernels_lock:
        if found not in _kernels:
            _kernels[found] = _make_kernel(found)
        return _kernels[found]


def _make_kernel(found: Format) -> Kernel:
    from fourcc.kernels.kernel import Kernel
    from fourcc.kernels.plain import DECODED

    if found.kernel is not None:
        kernel = found.kernel()
        if not isinstance(kernel, Kernel):
            raise TypeError(f"kernel() of the format {found.spec.tag} gave a {type(kernel).__name__}")
        return kernel
    if found.decode_block is None or unfit_for_blocks(found.spec) is not None:
        return DECODED
    return _fuse(found)


def _fuse(found: Format) -> Kernel:
    """The kernel that is made from a format's block decoder; that of decoded weights where it cannot be."""
    from fourcc.kernels.fused import fused
    from fourcc.kernels.plain import DECODED
    from fourcc.kernels.trace import UntraceableError

    assert found.decode_block is not None
    try:
        return fused(found.decode_block, *_blocks(found))
    except UntraceableError:
        return DECODED


def _blocks(found: Format) -> tuple[int, list[BlockPart]]:
    """Columns of a block, and its parts as the block decoder takes them."""
    from fourcc.kernels.fused import BlockPart

    width, parts = found.spec.block[1], []
    assert width is not None
    for part in found.spec.parts:
        assert part.tail is not None
        count, whole = prod(part.tail(width, {})), part.rows is None
        if isinstance(part.dtype, str):
            parts.append(BlockPart(part.name, part.dtype, count, whole=whole))
        else:
            fields = tuple((name, kind, prod(dims)) for name, kind, dims in part.dtype)
            parts.append(BlockPart(part.name, fields, count, whole=whole))
    return width, parts


def why_decoded(found: Format) -> str | None:
    """Why products with a format decode the whole matrix first; None where they do not.

    Raises:
        PluginError: as `kernel_of`.
    """
    if kernel_of(found).level != "decode":
        return None
    if found.decode_block is None:
        return "it declares neither a kernel nor a block decoder"
    return unfit_for_blocks(found.spec) or _untraceable(found)


def _untraceable(found: Format) -> str | None:
    from fourcc.kernels.fused import fused
    from fourcc.kernels.trace import UntraceableError

    assert found.decode_block is not None
    try:
        fused(found.decode_block, *_blocks(found))
    except UntraceableError as error:
        return f"its block decoder cannot run on several rows at once: {error}"
    return None


def unfit_for_blocks(spec: FormatSpec) -> str | None:
    """Why a format's blocks cannot be decoded one by one, or None where they can.

    Blocks lie along a row, and each part has its entries one block after the other.
    """
    rows, width = spec.block
    if rows != 1 or width is None:
        return "its blocks are not along a row"
    if spec.params:
        return "its layout has parameters"
    for part in spec.parts:
        if part.tail is None or part.rows not in {1, None}:
            return f"part {part.name!r} is not stored row by row"
        if part.rows == 1 and prod(part.tail(3 * width, {})) != 3 * prod(part.tail(width, {})):
            return f"part {part.name!r} is not stored block by block"
    return None


def pack(
    found: Format, parts: Parts, geom: Geometry, decode: Callable[[], Floats], threads: int | None = None
) -> Packed:
    """One matrix as its kernel takes it: views of its parts where their layout serves, else a copy.

    Args:
        found: the matrix's format.
        parts: of the matrix, with the shapes and dtypes that the format declares for `geom`.
        geom: the matrix's.
        decode: gives the weights, (rows, cols) of any dtype, where the format has no kernel.
        threads: how many.
    """
    from fourcc.kernels.operands import address, empty, matrix

    kernel = kernel_of(found)
    named = {"values": _as_floats(decode())} if kernel.level == "decode" else parts
    arrays = tuple(np.ascontiguousarray(named[name]) for name in kernel.parts)
    descriptor = matrix(geom.rows, geom.cols, arrays)
    if kernel.pack is None or kernel.packed is None or not geom.rows or not geom.cols:
        return Packed(kernel, geom.rows, geom.cols, descriptor, arrays)
    out = empty(kernel.packed(geom.rows, geom.cols))
    job = _job(1)
    job[1] = address(out)  # OUT
    run(kernel.pack, descriptor, job, rows=geom.rows, align=kernel.row_align, threads=threads)
    return Packed(kernel, geom.rows, geom.cols, matrix(geom.rows, geom.cols, (out,)), (out,))


def _as_floats(weights: Array) -> Floats:
    """Decoded weights as products take them; a float64 beyond float32 becomes infinite."""
    with np.errstate(over="ignore", invalid="ignore"):  # the latter of a signalling NaN
        return weights.astype(np.float32, copy=False)


def run(  # noqa: PLR0913 - a kernel's arguments, and how its rows are shared out
    kernel: Entry,
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
        chunk: rows that a thread takes at once; None: some chunks for each thread.
    """
    from fourcc.kernels import jit
    from fourcc.kernels.team import Split

    team = _teams[thread_count(threads)]
    split = Split(rows, chunk, scratch) if chunk else Split.evenly(rows, align, team.threads, scratch)
    team.run(jit.compiled(kernel), weights, job, split)


def _job(count: int) -> Array:
    from fourcc.kernels.operands import JOB_WORDS

    job = np.zeros(JOB_WORDS, np.int64)
    job[0] = count
    return job


# -- activations


def prepare(packed: Packed, x: Floats, threads: int | None = None, *, exact: bool = False) -> Activations:
    """Activations as the kernel of a packed matrix takes them, and those of every other that wants the same.

    Args:
        packed: the matrix.
        x: float32 (count, cols).
        threads: how many.
        exact: keep them as floats, whatever the kernel wants.
    """
    from fourcc.kernels.kernel import FLOAT
    from fourcc.kernels.operands import BLOCK, address, empty, round_up

    activation: Activation = FLOAT if exact else packed.kernel.activation
    count, cols = x.shape
    wide = round_up(cols)
    floats = _padded(x, wide)
    job = _job(count)
    job[3:5] = address(floats), 4 * wide  # X, X_STEP
    arrays: tuple[Array, ...] = (floats,)
    if activation.prepare is not None:
        codes = empty(count * wide * activation.width)
        numbers = empty(3 * count * (wide // BLOCK), "<f4").reshape(3, -1)  # steps, offsets, sums
        job[5:] = (
            address(codes),
            wide * activation.width,
            address(numbers[0]),
            4 * (wide // BLOCK),
            address(numbers[1]),
            address(numbers[2]),
        )
        arrays += (codes, numbers)
        run(activation.prepare, packed.descriptor, job, rows=count, align=1, threads=threads)
    return Activations(count, cols, job, arrays)


def _padded(x: Floats, wide: int) -> Floats:
    """The activations, followed by zeros: float32 (count, wide), C-contiguous, at the start of a cache line."""
    from fourcc.kernels.operands import LINE, address, empty

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
        out: float32 (count, rows), C-contiguous; filled.
        threads: how many.
        exact: the activations are floats.

    Raises:
        ValueError: shapes that do not fit.
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


def product_job(x: Activations, out: Floats) -> Array:
    """The job of a product with prepared activations.

    Args:
        x: the activations.
        out: float32 (count, rows), C-contiguous.
    """
    from fourcc.kernels.operands import address

    job = x.descriptor.copy()
    job[1:3] = address(out), out.strides[0]  # OUT, OUT_STEP
    return job


def matmul(packed: Packed, x: Floats, threads: int | None = None, *, exact: bool = False) -> Floats:
    """X times the matrix, transposed: float32 (count, cols) -> (count, rows).

    Args:
        packed: rows, columns.
        x: activations.
        threads: how many; None: ``FOURCC_THREADS``, or the cores that this process may use.
        exact: keep the activations as floats, whatever the kernel wants.
    """
    out = np.empty((len(x), packed.rows), np.float32)
    for first in range(0, len(x), COLUMNS):
        some = slice(first, first + COLUMNS)
        prepared = prepare(packed, x[some], threads, exact=exact)
        multiply(packed, prepared, out[some], threads, exact=exact)
    return out


# -- compiled kernels on disk


def cache_folder() -> Path:
    """Where compiled kernels are kept."""
    from fourcc.kernels import objects

    return objects.folder()


def cache_entries() -> list[Path]:
    """The files there."""
    from fourcc.kernels import objects

    return objects.entries()


def cache_is_trusted() -> bool:
    """Whether they are used: the folder must be the user's own, and nobody else may write to it."""
    from fourcc.kernels import objects

    return objects.is_trusted()


def announce_compiling(report: Callable[[str], None] | None) -> None:
    """Has a function called with each kernel's name before it is compiled, which takes a second or so."""
    from fourcc.kernels import jit

    jit.announce = report
