"""A layer of a network: the steps of its declaration, appended to a program."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import attrs

from fourcc.compute.buffers import Buffer
from fourcc.compute.layer_steps import AttentionOptions
from fourcc.compute.programs import Program
from fourcc.models.expert_program import ExpertBuffers, ExpertProgram, Observer
from fourcc.networks.steps import (
    DOWN,
    GATE,
    UP,
    Add,
    Attend,
    FeedForward,
    LayerStep,
    MixExperts,
    Multiply,
    Norm,
    NormHeads,
)

if TYPE_CHECKING:
    from fourcc.arrays import Floats
    from fourcc.models.architecture import Architecture
    from fourcc.models.weights import LayerWeights

Caches = tuple["Floats", "Floats"]  # keys, values


class Buffers(Protocol):
    """The activations that a layer reads and writes; see `fourcc.models.stages.Stages`."""

    @property
    def architecture(self) -> Architecture:
        """The network's sizes."""

    @property
    def x(self) -> Buffer:
        """The residual stream."""

    @property
    def buffers(self) -> Mapping[str, Buffer]:
        """Buffers of steps, by name."""

    @property
    def hidden(self) -> Mapping[str, Buffer]:
        """Buffers inside the feed-forward network, by the matrix that fills them."""

    @property
    def experts(self) -> ExpertBuffers | None:
        """Buffers of a mixture of experts; None: the network has none."""

    def rotation_of(self, layer: int) -> Floats:
        """The table of a layer's rotation."""


@attrs.frozen(eq=False)
class LayerProgram:
    """Appends a layer's steps to a program.

    Attributes:
        stages: whose buffers and sizes it uses.
        program: which the steps are appended to.
        number: of the layer.
        weights: of the layer.
        caches: of its keys and values.
        observe: see `Stages.layer`.
    """

    stages: Buffers
    program: Program
    number: int
    weights: LayerWeights
    caches: Caches
    observe: Observer | None

    def append(self) -> None:
        """Appends all steps."""
        for step in self.weights.steps:
            self._step(step)

    def _step(self, step: LayerStep) -> None:
        if isinstance(step, Norm):
            self._norm(step)
        elif isinstance(step, NormHeads):
            self._norm_heads(step)
        elif isinstance(step, Multiply):
            self._product(self._buffer(step.source), [(name, self._buffer(into)) for name, into in step.outputs])
        elif isinstance(step, Attend):
            self._attend(step)
        elif isinstance(step, FeedForward):
            self._feed_forward(step)
        elif isinstance(step, MixExperts):
            self._mix_experts(step)
        elif isinstance(step, Add):
            self._add(step)

    @property
    def _sizes(self) -> Architecture:
        return self.stages.architecture

    def _buffer(self, name: str) -> Buffer:
        return self.stages.buffers[name]

    def _add(self, step: Add) -> None:
        source, scale = self._buffer(step.source), self._sizes.residual_scale
        if scale == 1:
            self.program.add(source, self.stages.x)
        else:
            self.program.add_scaled(source, self.stages.x, scale)

    def _norm(self, step: Norm) -> None:
        vectors, source, into = self.weights.vectors, self._buffer(step.source), self._buffer(step.into)
        if step.weight in vectors:
            bias, kind = vectors.get(f"{step.weight}.bias"), self._sizes.network.norm_kind
            self.program.norm(source, vectors[step.weight], into, bias=bias, kind=kind)

    def _norm_heads(self, step: NormHeads) -> None:
        if step.weight in self.weights.vectors:
            weight, kind = self.weights.vectors[step.weight], self._sizes.network.norm_kind
            of_each = len(self._sizes.network.tensors[f"layers.*.{step.weight}"].dims) > 1
            self.program.norm_heads(weight, self._buffer(step.of), kind=kind, of_each=of_each)

    def _attend(self, step: Attend) -> None:
        q, k, v, out = (self._buffer(name) for name in ("q", "k", "v", "attended"))
        options = AttentionOptions(
            rotation=self.stages.rotation_of(self.number),
            window=self._sizes.window_of(self.number),
            sinks=self.weights.vectors.get(step.sinks),
        )
        self.program.attend(q, k, v, self.caches, out, options)

    def _feed_forward(self, step: FeedForward) -> None:
        """The gated network, or the plain one where the layer has no gate; none where it has no such network."""
        names = {matrix: f"{step.at}.{matrix}" for matrix in (GATE, UP, DOWN)}
        if names[DOWN] not in self.weights.matrices:
            return
        hidden, source = self.stages.hidden, self._buffer(step.source)
        present = [matrix for matrix in (GATE, UP) if names[matrix] in self.weights.matrices]
        self._product(source, [(names[matrix], hidden[matrix]) for matrix in present])
        gate, up = hidden[GATE], hidden[UP]
        x, beside = (gate, up) if GATE in present else (up, None)
        self.program.activate(self._sizes.hidden_act, x, beside, gate)
        self._product(hidden[GATE], [(names[DOWN], self._buffer(step.into))])

    def _mix_experts(self, step: MixExperts) -> None:
        buffers = self.stages.experts
        if buffers is not None and step.router in self.weights.matrices:
            source, into = self._buffer(step.source), self._buffer(step.into)
            experts = ExpertProgram(self.program, self._sizes, self.weights, buffers, self._product, self.observe)
            experts.append(step, source, into)

    def _product(self, x: Buffer, outputs: Sequence[tuple[str, Buffer]]) -> None:
        """Products of the same inputs with several matrices, and their biases where the layer has some."""
        matrices, start = self.weights.matrices, self.weights.start
        if self.observe is not None:
            names = tuple(start + name for name, _ in outputs)
            show(self.program, self.observe, names, x, matrices[outputs[0][0]].cols)
        self.program.product(x, [(matrices[name], out) for name, out in outputs])
        for name, out in outputs:
            if f"{name}.bias" in self.weights.vectors:
                self.program.bias(self.weights.vectors[f"{name}.bias"], out)


def show(program: Program, observe: Observer, names: tuple[str, ...], x: Buffer, cols: int) -> None:
    """Adds the step that shows an observer some activations."""
    shown = x.floats[: program.count, :cols]
    program.call(lambda: observe(names, shown))
