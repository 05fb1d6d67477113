"""A layer's mixture of experts, appended to a program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import attrs

from fourcc.compute.buffers import Buffer
from fourcc.compute.mixtures import Mixture
from fourcc.networks.steps import DOWN, GATE, UP, MixExperts

if TYPE_CHECKING:
    from fourcc.compute.programs import Program
    from fourcc.models.architecture import Architecture
    from fourcc.models.weights import LayerWeights

# Called with the names of the matrices that take the same inputs, and these: float32 (count, cols); if they are stacks
# of experts also with the number of an expert.
Observer = Callable[..., None]
Multiply = Callable[
    [Buffer, Sequence[tuple[str, Buffer]]], None
]  # products with matrices of the layer, and their biases


@attrs.frozen(eq=False)
class ExpertBuffers:
    """The activations inside a mixture of experts; a *place* is one activation in one of its experts.

    Attributes:
        scores: of the experts, by activation.
        spread: the activations at each place.
        hidden: inside the experts, by place, of the gate and beside it.
        given: by the experts, at each place.
        shared_score: of the expert that all activations go through.
        shared_hidden: inside that expert.
        shared_given: by that expert.
    """

    scores: Buffer
    spread: Buffer
    hidden: Mapping[str, Buffer]
    given: Buffer
    shared_score: Buffer
    shared_hidden: Mapping[str, Buffer]
    shared_given: Buffer

    @classmethod
    def of(cls, sizes: Architecture, rows: int) -> ExpertBuffers:
        """The buffers of a network with experts, for up to `rows` activations."""
        places, width = rows * (sizes.n_experts_used or 1), sizes.shared_hidden_dim or 0
        hidden = {matrix: Buffer(places, sizes.expert_hidden_dim or 0) for matrix in (GATE, UP)}
        shared = {matrix: Buffer(rows, width) for matrix in (GATE, UP)}
        scores, spread, given = Buffer(rows, sizes.n_experts or 0), Buffer(places, sizes.dim), Buffer(places, sizes.dim)
        return cls(scores, spread, hidden, given, Buffer(rows, 1), shared, Buffer(rows if width else 0, sizes.dim))


@attrs.frozen(eq=False)
class ExpertProgram:
    """Appends the steps of a mixture of experts.

    Attributes:
        program: which the steps are appended to.
        sizes: of the network.
        weights: of the layer.
        buffers: inside the mixture.
        multiply: appends products with matrices of the layer, the inputs of which it shows.
        observe: shown the inputs of stacks; None: nobody is.
    """

    program: Program
    sizes: Architecture
    weights: LayerWeights
    buffers: ExpertBuffers
    multiply: Multiply
    observe: Observer | None

    def append(self, step: MixExperts, source: Buffer, into: Buffer) -> None:
        """Appends all steps.

        Args:
            step: names the tensors.
            source: the activations.
            into: takes the weighted sum.
        """
        sizes, buffers = self.sizes, self.buffers
        assert sizes.n_experts is not None
        assert sizes.n_experts_used is not None
        normalized = sizes.expert_weights_normalized or sizes.expert_scores == "softmax_of_chosen"
        mixture = Mixture(self.program, sizes.n_experts, sizes.n_experts_used, normalized=normalized)
        self.multiply(source, [(step.router, buffers.scores)])
        mixture.route(buffers.scores)
        self._experts(mixture, step, source)
        mixture.combine(buffers.given, into)
        self._shared(mixture, step, source, into)

    def _experts(self, mixture: Mixture, step: MixExperts, source: Buffer) -> None:
        """The feed-forward network of each expert, over its own activations."""
        hidden, buffers = self.buffers.hidden, self.buffers
        outputs = [(step.expert(matrix), hidden[matrix]) for matrix in (GATE, UP)]
        self._stacks(mixture, source, outputs, buffers.spread)
        self._activate(hidden, mixture.places)
        self._stacks(mixture, hidden[GATE], [(step.expert(DOWN), buffers.given)])

    def _activate(self, hidden: Mapping[str, Buffer], count: int) -> None:
        sizes, gate, up = self.sizes, hidden[GATE], hidden[UP]
        if sizes.gate_limit is not None and sizes.gate_alpha is not None:
            limits = {"limit": sizes.gate_limit, "alpha": sizes.gate_alpha}
            self.program.clamped_gate(gate, up, gate, **limits, count=count)
        else:
            self.program.activate(sizes.hidden_act, gate, up, gate, count)

    def _stacks(
        self, mixture: Mixture, x: Buffer, outputs: Sequence[tuple[str, Buffer]], spread: Buffer | None = None
    ) -> None:
        """Products with stacks, and the biases of each expert."""
        weights = self.weights
        stacks = [(weights.stacks[name], out) for name, out in outputs]
        if self.observe is not None:
            names = tuple(weights.start + name for name, _ in outputs)
            mixture.show(partial(self._show, names), x, stacks[0][0].cols, spread=spread is None)
        mixture.product(x, stacks, spread)
        for name, out in outputs:
            if f"{name}.bias" in weights.vectors:
                mixture.bias(weights.vectors[f"{name}.bias"], out)

    def _show(self, names: tuple[str, ...], expert: int, inputs: object) -> None:
        assert self.observe is not None
        self.observe(names, inputs, expert)

    def _shared(self, mixture: Mixture, step: MixExperts, source: Buffer, into: Buffer) -> None:
        """The expert that all activations go through, where the layer has one."""
        matrices, buffers = self.weights.matrices, self.buffers
        if step.shared(DOWN) not in matrices:
            return
        hidden, gated = buffers.shared_hidden, step.shared_gate in matrices
        score = [(step.shared_gate, buffers.shared_score)] if gated else []
        self.multiply(source, [*((step.shared(matrix), hidden[matrix]) for matrix in (GATE, UP)), *score])
        self._activate(hidden, self.program.count)
        self.multiply(hidden[GATE], [(step.shared(DOWN), buffers.shared_given)])
        if gated:
            mixture.add_shared(buffers.shared_given, buffers.shared_score, into)
        else:
            self.program.add(buffers.shared_given, into)
