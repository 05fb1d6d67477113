"""Mixtures of experts as steps of a program: routing, products of each expert's own activations, their weighted sum."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from fourcc.compute.products import activation_job
from fourcc.compute.programs import SMALL
from fourcc.kernels.compiler import jit
from fourcc.kernels.descriptors import COPY, JOB, LAYER_JOB, MODEL, ROUTING, STACK, WORD, address, empty
from fourcc.kernels.products.grouped import grouped, grouped_as_python
from fourcc.kernels.products.row_gemv import JOB_BYTES
from fourcc.kernels.threads.thread_team import Split
from fourcc.kernels.transformer import experts

if TYPE_CHECKING:
    from fourcc.arrays import Array, Floats
    from fourcc.compute.buffers import Buffer
    from fourcc.compute.programs import Program
    from fourcc.compute.stacks import PackedStack
    from fourcc.kernels.compiler.jit import KernelFunction
    from fourcc.kernels.kernel import Activation

LANES = 16
KERNELS = (
    experts.choose,
    experts.order,
    experts.spread,
    experts.add_bias_of_owner,
    experts.combine,
    experts.add_by_sigmoid,
    grouped,
)  # that a mixture runs, whatever the formats


class Mixture:
    """The steps of a mixture of experts over a program's activations.

    Args:
        program: takes the steps.
        experts: how many there are.
        used: how many an activation goes to, at most as many as there are.
        normalized: whether the shares of an activation's experts add up to 1.

    Attributes:
        places: (activation, expert) pairs.
        shares: float32 (activations, used and more), what each expert's result is multiplied by; the experts of the
            highest scores first. Valid once the program has run, as all tables are.
        chosen: int64 (activations, used), the experts of each activation.
    """

    def __init__(self, program: Program, experts: int, used: int, *, normalized: bool) -> None:
        self._program, self._experts, self._used = program, experts, used
        self.places = program.count * used
        wide = -(-used // LANES) * LANES
        self.shares: Floats = empty(program.count * wide, "<f4").reshape(program.count, wide)
        self.shares[...] = 0
        self.chosen: Array = np.zeros((program.count, used), np.int64)
        self._places, self._sources, self._owners = np.zeros((3, self.places), np.int64)
        self._groups, self._counts, self._starts = np.zeros((3, experts + 1), np.int64)
        self._routing = ROUTING.record(
            experts=experts,
            used=used,
            count=program.count,
            is_normalized=normalized,
            shares=address(self.shares),
            shares_stride=self.shares.strides[0],
            chosen=address(self.chosen),
            places=address(self._places),
            sources=address(self._sources),
            owners=address(self._owners),
            groups=address(self._groups),
            starts=address(self._starts),
            counts=address(self._counts),
        )

    def route(self, scores: Buffer) -> None:
        """Chooses each activation's experts by their scores, and gives each pair its place."""
        ROUTING.write(self._routing, scores=scores.address, scores_stride=scores.stride)
        self._over(experts.choose, JOB.record(), self._program.count, scores)
        self._program.add_step(experts.order, self._routing, JOB.record(), Split(1, 1), (self,))

    def product(self, x: Buffer, matrices: Sequence[tuple[PackedStack, Buffer]], spread: Buffer | None = None) -> None:
        """Products of activations with the matrices of their experts, place by place.

        Args:
            x: the program's activations, or what lies at the places.
            matrices: stacks of a matrix for each expert, and where the products go, with a row for each place.
            spread: room for the activations at each place, as wide as `x`; None: `x` lies place by place already.
        """
        jobs: dict[str, Array] = {}
        for stack, out in matrices:
            activation, tile = self._program.form(stack.kernel)
            if activation.name not in jobs:
                jobs[activation.name] = self._prepared(x, stack, activation, spread)
            job = jobs[activation.name].copy()
            JOB.write(job, out=out.address, out_stride=out.stride)
            is_spread = spread is None or self._program.count > 1
            self._multiply(stack, tile, job, is_spread=is_spread, keep=(x, out, spread))

    def bias(self, weight: Floats, out: Buffer) -> None:
        """Adds its expert's bias at each place; float32 (experts, columns and zeros up to the buffer's width)."""
        job = COPY.record(input=address(weight), input_stride=weight.strides[0])
        COPY.write(job, output=out.address, output_stride=out.stride, size=out.stride)
        self._over(experts.add_bias_of_owner, job, self.places, weight, out)

    def combine(self, given: Buffer, out: Buffer) -> None:
        """For each activation the sum of what its experts gave, times their shares."""
        job = COPY.record(input=given.address, input_stride=given.stride, size=out.stride)
        COPY.write(job, output=out.address, output_stride=out.stride)
        self._over(experts.combine, job, self._program.count, given, out)

    def add_shared(self, given: Buffer, score: Buffer, out: Buffer) -> None:
        """Adds what an expert that all activations share gave, times the sigmoid of its score, to `out`."""
        model = MODEL.record(width=out.width)
        job = LAYER_JOB.record(input=given.address, input_stride=given.stride)
        LAYER_JOB.write(job, second=score.address, second_stride=score.stride)
        LAYER_JOB.write(job, output=out.address, output_stride=out.stride)
        self._over(experts.add_by_sigmoid, job, self._program.count, given, score, out, weights=model)

    def show(self, observe: Callable[[int, Floats], None], x: Buffer, cols: int, *, spread: bool = False) -> None:
        """Adds the step that shows an observer each expert's activations: (expert, float32 (count, cols)).

        Args:
            observe: called for each expert that has any, in their order.
            x: the program's activations, or what lies at the places.
            cols: of each.
            spread: whether `x` lies place by place.
        """

        def show() -> None:
            for expert, start, stop in self._listed():
                rows = slice(start, stop) if spread else self._sources[start:stop]
                observe(expert, x.floats[rows, :cols])

        self._program.call(show)

    def _listed(self) -> Iterator[tuple[int, int, int]]:
        """Expert, first place and end of each group."""
        active = int(ROUTING.fields(self._routing)["active"])
        starts = self._starts[: active + 1].tolist()
        return zip(self._groups[:active].tolist(), starts[:-1], starts[1:], strict=True)

    # -- products

    def _prepared(self, x: Buffer, stack: PackedStack, activation: Activation, spread: Buffer | None) -> Array:
        """The job of activations in a form, at their places; a single one is not copied, since all groups have it."""
        program = self._program
        count = self.places if spread is None else program.count
        job = activation_job(count, x.wide, x.floats, x.quantized(activation))
        if activation.prepare is not None:
            split = Split(count, -(-count // program.threads))
            program.add_step(activation.prepare, stack.first, job, split, (stack, x))
        if spread is None or program.count == 1:
            return job
        made = activation_job(self.places, spread.wide, spread.floats, spread.quantized(activation))
        given, made_numbers = (JOB.fields(each) for each in (job, made))
        if activation.prepare is None:
            self._spread(given, made_numbers, ("x", "x_stride"), x.stride, x, spread)
            return made
        self._spread(given, made_numbers, ("codes", "codes_stride"), int(given["codes_stride"]), x, spread)
        for name in ("scales", "zero_corrections", "sums"):
            self._spread(given, made_numbers, (name, "scales_stride"), int(given["scales_stride"]), x, spread)
        return made

    def _spread(self, given: Array, made: Array, fields: tuple[str, str], size: int, *keep: object) -> None:
        """Adds the step that copies a kind of numbers to their places."""
        start, stride = fields
        job = COPY.record(input=int(given[start]), input_stride=int(given[stride]), size=size)
        COPY.write(job, output=int(made[start]), output_stride=int(made[stride]))
        self._over(experts.spread, job, self.places, *keep)

    def _multiply(
        self, stack: PackedStack, tile: KernelFunction, job: Array, *, is_spread: bool, keep: Sequence[object]
    ) -> None:
        kernel, threads = stack.kernel, self._program.threads
        height = -(-stack.rows // kernel.row_align) * kernel.row_align
        rows = min(self._experts, self.places) * height
        chunk = min(height, Split.evenly(rows, kernel.row_align, threads).chunk)
        if stack.rows * stack.cols * self.places < SMALL:
            chunk = rows
        machine_code = jit.compiled(tile)
        descriptor = STACK.record(
            routing=address(self._routing),
            function=machine_code.address if isinstance(machine_code, jit.Compiled) else 0,
            matrices=address(stack.descriptors),
            matrix_size=WORD * stack.descriptors.shape[1],
            rows=stack.rows,
            height=height,
            is_spread=is_spread,
        )
        product = grouped_as_python(tile) if jit.uncompiled() else grouped
        split = Split(rows, chunk, JOB_BYTES + kernel.scratch(stack.cols))
        self._program.add_step(product, descriptor, job, split, (stack, *keep))

    def _over(self, kernel: KernelFunction, job: Array, rows: int, *keep: object, weights: Array | None = None) -> None:
        """Adds a step over activations, or places."""
        split = Split(rows, -(-rows // self._program.threads))
        self._program.add_step(kernel, self._routing if weights is None else weights, job, split, (self, *keep))
