"""Programs: the steps of a model's forward pass over fixed buffers, run in compiled code without a return to Python.

A program is made once for a number of activations and run many times; values that change from run to run (token ids,
the position) lie in arrays that its steps read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fourcc.compute.buffers import Buffer
from fourcc.compute.layer_steps import LayerSteps
from fourcc.compute.products import activation_job, finished_rows, quantizing
from fourcc.kernels.descriptors import JOB, address
from fourcc.kernels.fusing.sparse_rows import add_sparse_products
from fourcc.kernels.kernel import FLOAT

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from fourcc.arrays import Array
    from fourcc.compute.buffers import Sizes
    from fourcc.compute.packed import Packed
    from fourcc.compute.turning import Turning
    from fourcc.kernels.compiler.jit import KernelFunction
    from fourcc.kernels.kernel import Activation, Kernel

SMALL = 1 << 16  # weights times activations: a product below that is not worth sharing among threads


class Program(LayerSteps):
    """Steps over some activations at once: those of a layer (`LayerSteps`), and products.

    Args:
        count: how many activations.
        sizes: of the model.
        position: int64 (1,): the first activation's position.
        threads: how many.
        exact: products keep the activations as floats, even if their kernels take codes.

    Attributes:
        exact: whether every product takes activations as floats.
    """

    def __init__(self, count: int, sizes: Sizes, position: Array, threads: int, *, exact: bool = False) -> None:
        super().__init__(count, sizes, position, threads)
        self._exact, self.exact = exact, True
        self._turned: dict[int, Buffer] = {}

    def gather(self, packed: Packed, ids: Array, out: Buffer) -> None:
        """Rows of a matrix by number, as an embedding is looked up; `ids` is int64 (count,)."""
        job = JOB.record(count=self.count, out=out.address, out_stride=out.stride, x=address(ids))
        self._kept += [ids, out, packed]
        self._add(packed.kernel.gather, packed.descriptor, job, self.count, packed.kernel.scratch(packed.cols))
        if packed.turning is not None:
            rows, numbers = out.floats[: self.count, : packed.cols], ids[: self.count]
            self.call(lambda: np.copyto(rows, finished_rows(packed, rows, numbers)))

    def product(self, x: Buffer, matrices: Sequence[tuple[Packed, Buffer]], count: int | None = None) -> None:
        """Products of the same activations with several matrices.

        Matrices that turn them alike share what they are turned into, kernels that take codes of one kind share these.
        """
        count = self.count if count is None else count
        groups: dict[Hashable, list[tuple[Packed, Buffer]]] = {}
        for packed, out in matrices:
            key = None if packed.turning is None else packed.turning.key
            groups.setdefault(key, []).append((packed, out))
        for some in groups.values():
            turning = some[0][0].turning
            self._products(x if turning is None else self._turn(turning, x, count), x, some, count)

    def _turn(self, turning: Turning, x: Buffer, count: int) -> Buffer:
        """Adds the step that turns activations; what it makes lasts until the next one of this width."""
        turned = self._turned.setdefault(x.width, Buffer(self.count, x.width))
        given, made = (each.floats[:count, : x.width] for each in (x, turned))
        self.call(lambda: np.copyto(made, turning.forward(given)))
        return turned

    def _products(self, x: Buffer, given: Buffer, matrices: Sequence[tuple[Packed, Buffer]], count: int) -> None:
        """Products of the activations in `x`; those of sparse weights beside the blocks take the ones in `given`."""
        prepared: dict[str, bytes | None] = {}  # name of a form -> the ranges by which it was made last
        for packed, out in matrices:
            kernel = packed.kernel
            activation, tile = self.form(kernel)
            job = activation_job(count, x.wide, x.floats, x.quantized(activation))
            JOB.write(job, out=out.address, out_stride=out.stride)
            quantize = quantizing(packed, activation, job)
            ranges = None if packed.ranges is None else packed.ranges.tobytes()
            if quantize is not None and prepared.get(activation.name, b"") != ranges:
                self._add(quantize, packed.descriptor, job, count)
                prepared[activation.name] = ranges
            align = packed.rows if packed.rows * packed.cols * count < SMALL else kernel.row_align
            self._add(tile, packed.descriptor, job, packed.rows, kernel.scratch(packed.cols), align)
            if packed.beside is not None:
                job = activation_job(count, given.wide, given.floats, ())
                JOB.write(job, out=out.address, out_stride=out.stride)
                self._add(add_sparse_products, packed.beside.descriptor, job, packed.rows, 0, align)
            self._kept += [packed, x, given, out]

    def form(self, kernel: Kernel) -> tuple[Activation, KernelFunction]:
        """The form in which a product takes activations in this program, and the product."""
        tile = kernel.exact if self._exact else kernel.tile
        self.exact &= tile is kernel.exact
        return FLOAT if self._exact else kernel.activation, tile
