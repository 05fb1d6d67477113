"""Packing of matrices for their kernels, with what their formats have beside blocks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.compute.choosing import kernel_of
from fourcc.compute.sparse import SparseRows
from fourcc.compute.teams import run
from fourcc.compute.turning import Turning
from fourcc.geometry import Geometry
from fourcc.kernels.descriptors import BLOCK, JOB, address, empty, matrix, round_up

if TYPE_CHECKING:
    from fourcc.arrays import Array, Floats, Parts
    from fourcc.format import Format
    from fourcc.kernels.kernel import Kernel


@attrs.frozen(eq=False)
class Packed:
    """One matrix as its kernel takes it.

    Attributes:
        kernel: of the format.
        rows, cols: the matrix's shape.
        descriptor: int64, for the kernel.
        arrays: the arrays that the descriptor points into: the stored parts, or a packed copy; and sparse weights.
        turning: the map that activations go through before the kernel; None where there is none.
        beside: sparse weights whose products the kernel does not add, since they multiply activations that are not
            turned; None where there are none.
        ranges: static ranges of the activations, float32, one for 32 columns, zeros behind them included; None: each
            block of each activation has its own.
    """

    kernel: Kernel
    rows: int
    cols: int
    descriptor: Array
    arrays: tuple[Array, ...]
    turning: Turning | None = None
    beside: SparseRows | None = None
    ranges: Floats | None = None

    def with_ranges(self, ranges: Floats) -> Packed:
        """This matrix with activations that are quantized by static ranges.

        Its own self where that changes nothing: its kernel does not quantize activations by blocks, or they are turned
        first.

        Args:
            ranges: float32 (columns / 32,), the last block may be short; finite and above 0.
        """
        if self.kernel.activation.static is None or self.turning is not None:
            return self
        every = np.ones(round_up(self.cols) // BLOCK, np.float32)  # zeros behind the columns have any range
        every[: len(ranges)] = ranges
        return attrs.evolve(self, ranges=every)


def pack(
    fmt: Format,
    parts: Parts,
    geom: Geometry,
    decode: Callable[[], Floats],
    threads: int | None = None,
    *,
    memory: Callable[[int], Array] = empty,
) -> Packed:
    """One matrix as its kernel takes it: views of its parts if the kernel takes their layout, else a copy.

    Args:
        fmt: the matrix's format.
        parts: of the matrix, with the shapes and dtypes that the format declares for `geom`.
        geom: the matrix's.
        decode: returns the weights, (rows, cols) of any dtype; called if the format has no kernel.
        threads: how many.
        memory: (bytes) -> memory for a packed copy, from the start of a cache line on.

    Raises:
        PluginError: the format's kernel cannot be made, or its `extra` breaks.
    """
    kernel = kernel_of(fmt, geom.params).for_parts(parts)
    named = {"values": _as_floats(decode())} if kernel.level == "decode" else parts
    arrays = tuple(np.ascontiguousarray(named[name]) for name in kernel.parts)
    if kernel.level == "fused":
        arrays = tuple(_in_units(fmt, name, array, kernel) for name, array in zip(kernel.parts, arrays, strict=True))
    descriptor = matrix(geom.rows, geom.cols, arrays)
    if kernel.level == "fused" and geom.rows and geom.cols:
        return _with_beside(fmt, parts, geom, Packed(kernel, geom.rows, geom.cols, descriptor, arrays))
    if kernel.pack is None or kernel.packed is None or not geom.rows or not geom.cols:
        return Packed(kernel, geom.rows, geom.cols, descriptor, arrays)
    out = memory(kernel.packed(geom.rows, geom.cols))
    job = JOB.record(count=1, out=address(out))
    scratch = kernel.scratch(geom.cols)
    run(kernel.pack, descriptor, job, rows=geom.rows, align=kernel.row_align, threads=threads, scratch=scratch)
    return Packed(kernel, geom.rows, geom.cols, matrix(geom.rows, geom.cols, (out,)), (out,))


def pack_decoded(weights: Array) -> Packed:
    """Decoded weights (rows, cols) of any dtype, as they are multiplied where a format's products decode first."""
    from fourcc.kernels.products.plain_floats import DECODED

    values = np.ascontiguousarray(_as_floats(weights))
    rows, cols = values.shape
    return Packed(DECODED, rows, cols, matrix(rows, cols, [values]), (values,))


def _in_units(fmt: Format, name: str, array: Array, kernel: Kernel) -> Array:
    """A part as it is; one of the columns followed by zeros, since a kernel reads whole units of it."""
    part = next(part for part in fmt.parts if part.name == name)
    if part.reach != "column" or len(array) % kernel.unit == 0:
        return array
    wide = np.zeros((-(-len(array) // kernel.unit) * kernel.unit, *array.shape[1:]), array.dtype)
    wide[: len(array)] = array
    return wide


def _with_beside(fmt: Format, parts: Parts, geom: Geometry, packed: Packed) -> Packed:
    """A matrix whose blocks are packed, with what its format has beside blocks: a turn, sparse weights."""
    turning = None if fmt.turn is None else Turning(fmt, parts, geom)
    if fmt.extra is None:
        return attrs.evolve(packed, turning=turning)
    sparse = SparseRows.of(fmt, parts, geom)
    arrays = packed.arrays + sparse.arrays
    if turning is not None:
        return attrs.evolve(packed, turning=turning, beside=sparse, arrays=arrays)
    kernel = packed.kernel.for_parts({**parts, "sparse": sparse.values})
    arrays = (*arrays, sparse.descriptor)
    descriptor = np.append(packed.descriptor, address(sparse.descriptor))
    return attrs.evolve(packed, kernel=kernel, descriptor=descriptor, arrays=arrays)


def _as_floats(weights: Array) -> Floats:
    """Decoded weights as products take them; a float64 beyond float32 becomes infinite."""
    with np.errstate(over="ignore", invalid="ignore"):  # invalid: a signalling NaN
        return weights.astype(np.float32, copy=False)
