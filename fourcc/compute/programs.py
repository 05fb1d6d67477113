"""Programs: the steps of a model's forward pass over fixed buffers, run in compiled code without a return to Python.

A program is made once for a number of activations and run many times; values that change from run to run (token ids,
the position) lie in arrays that its steps read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.compute.products import activation_job, finished_rows, quantized_memory, quantizing
from fourcc.compute.python_steps import PythonStep, raise_first
from fourcc.compute.teams import team_of
from fourcc.kernels.compiler import jit
from fourcc.kernels.descriptors import JOB, LAYER_JOB, LINE, MODEL, STEP, address, empty, round_up, zeros
from fourcc.kernels.fusing.sparse_rows import add_sparse_products
from fourcc.kernels.kernel import FLOAT
from fourcc.kernels.threads.thread_team import Split
from fourcc.kernels.transformer import attention, norms_and_gate

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence

    from fourcc.arrays import Array, Floats
    from fourcc.compute.packed import Packed
    from fourcc.compute.turning import Turning
    from fourcc.kernels.compiler.jit import KernelFunction
    from fourcc.kernels.kernel import Activation, Kernel

SMALL = 1 << 16  # weights times activations: a product below that is not worth sharing among threads


class Buffer:
    """Activations that steps read and write: float32 rows on cache lines, each followed by zeros.

    Args:
        rows: how many activations it holds.
        width: columns of each.
    """

    def __init__(self, rows: int, width: int) -> None:
        self.rows, self.width, self.wide = rows, width, round_up(width)
        self.floats: Floats = empty(rows * self.wide, "<f4").reshape(rows, self.wide)
        self.floats[...] = 0
        self.address = address(self.floats)
        self.stride = 4 * self.wide
        self._quantized: dict[str, tuple[Array, ...]] = {}

    def quantized(self, activation: Activation) -> tuple[Array, ...]:
        """Memory for these activations quantized, see `fourcc.compute.products.quantized_memory`."""
        if activation.name not in self._quantized:
            self._quantized[activation.name] = quantized_memory(activation, self.rows, self.wide)
        return self._quantized[activation.name]


@attrs.frozen
class Sizes:
    """Sizes of a model that the kernels of attention read.

    Attributes:
        heads: of the queries.
        kv_heads: of keys and values.
        head: columns of a head.
        context: positions that the caches hold.
        rotation: float32 (context, head): half cosines, half sines.
        epsilon: of the norms.
    """

    heads: int
    kv_heads: int
    head: int
    context: int
    rotation: Floats
    epsilon: float

    @property
    def room(self) -> int:
        """Positions that the caches have room for: whole tiles, since attention reads a tile at once."""
        return -(-self.context // attention.TILE) * attention.TILE

    def caches(self, layers: int) -> list[tuple[Floats, Floats]]:
        """Arrays for the keys and the values of each layer; they take memory only where they are written to.

        All are in one allocation: numpy asks for huge pages if it is large, and caches of a few hundred positions are
        then read a third faster than from pages of 4 KiB.
        """
        positions = self.kv_heads * self.room
        keys, values = (-(-positions * width // 16) * 16 for width in (self.head, attention.padded_head(self.head)))
        pieces = zeros(layers * (keys + values), "<f4").reshape(layers, keys + values)
        return [(piece[:keys], piece[keys:]) for piece in pieces]


class Program:
    """Steps over some activations at once.

    Args:
        count: how many activations.
        sizes: of the model.
        position: int64 (1,): the first activation's position.
        threads: how many.
        exact: products keep the activations as floats, even if their kernels take codes.

    Attributes:
        count: how many activations.
        threads: how many.
        exact: whether every product takes activations as floats.
    """

    def __init__(self, count: int, sizes: Sizes, position: Array, threads: int, *, exact: bool = False) -> None:
        self.count, self._sizes, self._position, self._exact = count, sizes, position, exact
        self._team = team_of(threads)
        self.threads = self._team.threads
        self._steps: list[tuple[KernelFunction, Array, Array, int, int]] = []
        self._scratch = 0
        self.exact = True
        self._kept: list[object] = [position, sizes.rotation]
        self._table: Array | None = None
        self._python: list[PythonStep] = []
        self._turned: dict[int, Buffer] = {}

    # -- steps

    def gather(self, packed: Packed, ids: Array, out: Buffer) -> None:
        """Rows of a matrix by number, as an embedding is looked up; `ids` is int64 (count,)."""
        job = JOB.record(count=self.count, out=out.address, out_stride=out.stride, x=address(ids))
        self._kept += [ids, out, packed]
        self._add(packed.kernel.gather, packed.descriptor, job, self.count, packed.kernel.scratch(packed.cols))
        if packed.turning is not None:
            rows, numbers = out.floats[: self.count, : packed.cols], ids[: self.count]
            self.call(lambda: np.copyto(rows, finished_rows(packed, rows, numbers)))

    def norm(self, x: Buffer, weight: Floats, out: Buffer, *, only_last: bool = False) -> None:
        """RMSNorm of each activation, or of the last one only."""
        skipped = self.count - 1 if only_last else 0
        job = self._job(x, None, out)
        LAYER_JOB.write(job, input=x.address + skipped * x.stride)
        self._add(norms_and_gate.norm, self._model(x.width, weight), job, self.count - skipped)

    def norm_heads(self, weight: Floats, out: Buffer) -> None:
        """RMSNorm of each head, in place."""
        self._add(norms_and_gate.norm_heads, self._model(out.width, weight), self._job(None, None, out), self.count)

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

    def add_step(
        self, kernel: KernelFunction, weights: Array, job: Array, split: Split, keep: Iterable[object] = ()
    ) -> None:
        """Adds a step of any kernel.

        Args:
            kernel: of this signature.
            weights, job: its descriptors.
            split: its rows.
            keep: what the descriptors point into; it lives as long as the program.
        """
        self._steps.append((kernel, weights, job, split.rows, split.chunk))
        self._scratch = max(self._scratch, split.scratch)
        self._kept += keep

    def call(self, work: Callable[[], None]) -> None:
        """Adds a step in Python; what it raises is raised once all steps have run."""
        step = PythonStep(work)
        self._python.append(step)
        self._add(step, JOB.record(), JOB.record(), 1)

    def add(self, x: Buffer, out: Buffer) -> None:
        """out + x, into out."""
        self._add(norms_and_gate.add_to, self._model(out.width), self._job(x, None, out), self.count)

    def bias(self, weight: Floats, out: Buffer) -> None:
        """out + weight, into out."""
        self._add(norms_and_gate.add_bias, self._model(out.width, weight), self._job(None, None, out), self.count)

    def gate(self, x: Buffer, y: Buffer, out: Buffer) -> None:
        """SwiGLU: silu(x) * y."""
        self._add(norms_and_gate.gate, self._model(x.width), self._job(x, y, out), self.count)

    def attend(
        self, q: Buffer, k: Buffer, v: Buffer, caches: tuple[Floats, Floats], out: Buffer, window: int | None = None
    ) -> None:
        """Rotation of q and k, then attention over the positions up to each activation's own, or the last `window`."""
        model = self._model(q.width)
        rotated = self._job(k, v, q, caches)
        self._add(attention.rotate, model, rotated, self.count)
        unit, beside = self._together()
        window = attention.EVERYTHING if window is None else window
        MODEL.write(model, unit=unit, beside=beside, count=self.count, window=window)
        units = self._sizes.heads // unit * -(-self.count // beside)
        scratch = unit * beside * attention.place_of(self._sizes.head)
        self._add(attention.attend, model, self._job(q, None, out, caches), units, scratch, 1)

    def _together(self) -> tuple[int, int]:
        """Heads, and activations, that go through the keys together; fewer if threads would be left without work."""
        sizes, enough = self._sizes, 2 * self._team.threads
        group = sizes.heads // sizes.kv_heads
        fitting = [unit for unit in range(1, group + 1) if group % unit == 0 and unit <= attention.TOGETHER]
        unit = next((each for each in reversed(fitting) if self.count * sizes.heads // each >= enough), 1)
        return unit, max(1, attention.TOGETHER // unit)

    # -- descriptors

    def _model(self, width: int, weight: Floats | None = None) -> Array:
        sizes = self._sizes
        model = MODEL.record(
            width=width,
            heads=sizes.heads,
            kv_heads=sizes.kv_heads,
            head=sizes.head,
            context=sizes.room,
            rotation=address(sizes.rotation),
            epsilon=sizes.epsilon,
            scale=1 / np.sqrt(sizes.head),
        )
        if weight is not None:
            MODEL.write(model, weight=address(weight))
            self._kept.append(weight)
        return model

    def _job(
        self, x: Buffer | None, y: Buffer | None, out: Buffer, caches: tuple[Floats, Floats] | None = None
    ) -> Array:
        job = LAYER_JOB.record(output=out.address, output_stride=out.stride, position=address(self._position))
        if x is not None:
            LAYER_JOB.write(job, input=x.address, input_stride=x.stride)
        if y is not None:
            LAYER_JOB.write(job, second=y.address, second_stride=y.stride)
        if caches is not None:
            keys, values = caches
            LAYER_JOB.write(job, keys=address(keys), values=address(values))
        self._kept += [x, y, out, caches]
        return job

    def _add(
        self, kernel: KernelFunction, weights: Array, job: Array, rows: int, scratch: int = 0, align: int | None = None
    ) -> None:
        """Adds a step. With `align` None its rows are activations, shared evenly among the threads."""
        chunk = -(-rows // self._team.threads) if align is None else align
        if align is not None and rows > align:
            chunk = Split.evenly(rows, align, self._team.threads).chunk
        self.add_step(kernel, weights, job, Split(rows, max(1, chunk), scratch))

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
