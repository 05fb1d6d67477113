"""The stages of a network of the Llama family, as steps of programs over its activations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from fourcc.compute.buffers import Buffer, Sizes
from fourcc.compute.layer_steps import AttentionOptions
from fourcc.compute.programs import Program
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from fourcc.arrays import Floats
    from fourcc.compute.packed import Packed
    from fourcc.models.architecture import Architecture
    from fourcc.models.weights import LayerWeights, Weights

BATCH = 256  # tokens of a prompt that are computed at once

# Called with the names of the matrices that take the same inputs, and these: float32 (count, cols).
Observer = Callable[[tuple[str, ...], "Floats"], None]
Caches = tuple["Floats", "Floats"]  # keys, values


class Stages:
    """The activations of a network, and the stages that compute them; a stage appends its steps to a program.

    Args:
        architecture: the network's sizes.
        context: number of positions to have room for.
        layers: number of layers to have caches for.
        threads: number of threads.
        exact: products keep activations as floats.

    Attributes:
        x: the residual stream, which a stage changes.
        logits: of the last activation, or of every one.
        caches: memory for the keys and the values of each layer.

    Raises:
        UsageError: there is not enough memory for the context.
    """

    def __init__(self, architecture: Architecture, context: int, layers: int, threads: int, *, exact: bool) -> None:
        self._architecture, self._context, self._threads, self._exact = architecture, context, threads, exact
        self._turned = 0  # positions whose rotation is in the table
        self._at = np.zeros(1, np.int64)
        self._ids = np.zeros(BATCH, np.int64)
        self._make_buffers()
        self.caches = self._make_caches(layers)

    def _make_buffers(self) -> None:
        sizes = self._architecture
        q, kv = sizes.n_heads * sizes.head_dim, sizes.n_kv_heads * sizes.head_dim
        room = partial(Buffer, min(BATCH, self._context))
        self.x, self._normed, self._added = room(sizes.dim), room(sizes.dim), room(sizes.dim)
        self._q, self._k, self._v, self._attended = room(q), room(kv), room(kv), room(q)
        self._gate, self._up = room(sizes.hidden_dim), room(sizes.hidden_dim)
        self.logits = Buffer(1, sizes.vocab_size)

    def _make_caches(self, layers: int) -> list[Caches]:
        sizes = self._architecture
        try:
            self._rotation: Floats = np.zeros((self._context, sizes.head_dim), np.float32)
            heads = (sizes.n_heads, sizes.n_kv_heads, sizes.head_dim)
            self._sizes = Sizes(*heads, self._context, self._rotation, sizes.norm_eps)
            return self._sizes.caches(layers)
        except (MemoryError, ValueError) as error:  # ValueError: larger than any array
            raise UsageError(
                "there is not enough memory for the context",
                found=f"{self._context} positions",
                hint="Ask for fewer; the model's own number is the hyper-parameter seq_len.",
            ) from error

    # -- before a program runs

    def take(self, tokens: Sequence[int]) -> None:
        """Makes these the tokens that the next program looks up."""
        self._ids[: len(tokens)] = tokens

    def move_to(self, position: int, count: int) -> None:
        """Puts the first of `count` activations at a position, and fills the table of the rotation up to the last.

        Positions that are never reached take no memory and no time.
        """
        self._at[0], end = position, position + count
        if end > self._turned:
            more = min(self._context, max(end, 2 * self._turned, BATCH))
            self._rotation[self._turned : more] = self._architecture.rotation(more, self._turned)
            self._turned = more

    def make_room_for_logits(self, count: int) -> bool:
        """Makes room for the logits of `count` tokens; returns whether programs have to be made again."""
        if self.logits.rows >= count:
            return False
        self.logits = Buffer(count, self._architecture.vocab_size)
        return True

    # -- stages

    def program(self, count: int) -> Program:
        """A program without steps for `count` activations."""
        return Program(count, self._sizes, self._at, self._threads, exact=self._exact)

    def embed(self, program: Program, embedding: Packed) -> None:
        """Looks up the tokens."""
        program.gather(embedding, self._ids, self.x)

    def layer(
        self, program: Program, number: int, weights: LayerWeights, caches: Caches, observe: Observer | None = None
    ) -> None:
        """A layer; `observe` is called with the inputs of its matrices whenever the program runs."""
        self._attention(program, weights, caches, self._architecture.window_of(number), observe)
        self._feed_forward(program, weights, observe)

    def classify(
        self, program: Program, weights: Weights, output: Packed, *, every: bool, observe: Observer | None = None
    ) -> None:
        """The logits of the last activation, or with `every` of each, by a matrix that may replace the network's own.

        Only with `every` an observer can be given.
        """
        program.norm(self.x, weights.norm, self._normed, only_last=not every)
        if observe is not None:
            self._show(program, observe, (weights.output_name,), self._normed, output.cols)
        program.product(self._normed, [(output, self.logits)], program.count if every else 1)

    def _attention(
        self, program: Program, layer: LayerWeights, caches: Caches, window: int | None, observe: Observer | None
    ) -> None:
        q, k, v, vectors = self._q, self._k, self._v, layer.vectors
        program.norm(self.x, vectors["attention_norm"], self._normed)
        outputs = (("attention.wq", q), ("attention.wk", k), ("attention.wv", v))
        self._multiply(program, layer, self._normed, outputs, observe)
        for name, out in (("q_norm", q), ("k_norm", k)):
            if f"attention.{name}" in vectors:
                program.norm_heads(vectors[f"attention.{name}"], out)
        program.attend(q, k, v, caches, self._attended, AttentionOptions(window))
        self._multiply(program, layer, self._attended, (("attention.wo", self._added),), observe)
        program.add(self._added, self.x)

    def _feed_forward(self, program: Program, layer: LayerWeights, observe: Observer | None) -> None:
        program.norm(self.x, layer.vectors["ffn_norm"], self._normed)
        outputs = (("feed_forward.w1", self._gate), ("feed_forward.w3", self._up))
        self._multiply(program, layer, self._normed, outputs, observe)
        program.gate(self._gate, self._up, self._gate)
        self._multiply(program, layer, self._gate, (("feed_forward.w2", self._added),), observe)
        program.add(self._added, self.x)

    def _multiply(
        self,
        program: Program,
        layer: LayerWeights,
        x: Buffer,
        outputs: Sequence[tuple[str, Buffer]],
        observe: Observer | None,
    ) -> None:
        """Products of the same inputs with several matrices, and their biases where the model has some."""
        if observe is not None:
            names = tuple(layer.start + name for name, _ in outputs)
            self._show(program, observe, names, x, layer.matrices[outputs[0][0]].cols)
        program.product(x, [(layer.matrices[name], out) for name, out in outputs])
        for name, out in outputs:
            if f"{name}.bias" in layer.vectors:
                program.bias(layer.vectors[f"{name}.bias"], out)

    def _show(self, program: Program, observe: Observer, names: tuple[str, ...], x: Buffer, cols: int) -> None:
        """Adds the step that shows an observer some activations."""
        shown = x.floats[: program.count, :cols]
        program.call(lambda: observe(names, shown))
