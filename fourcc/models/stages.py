"""The stages of a network: the steps that its declaration lists, as steps of programs over its activations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from fourcc.compute.buffers import Buffer, Sizes
from fourcc.compute.programs import Program
from fourcc.errors import UsageError
from fourcc.models.expert_program import ExpertBuffers, Observer
from fourcc.models.layer_program import Caches, LayerProgram, show
from fourcc.networks.steps import GATE, UP

if TYPE_CHECKING:
    from fourcc.arrays import Floats
    from fourcc.compute.packed import Packed
    from fourcc.models.architecture import Architecture
    from fourcc.models.rotation import RotaryTurns
    from fourcc.models.weights import LayerWeights, Weights
    from fourcc.models.weights_in_turn import WeightsInTurn

    AnyWeights: TypeAlias = Weights | WeightsInTurn

BATCH = 256  # tokens of a prompt that are computed at once


class Stages:
    """The activations of a network, and the stages that compute them; a stage appends its steps to a program.

    Args:
        architecture: the network's sizes.
        context: number of positions to have room for.
        layers: number of layers to have caches for.
        threads: number of threads.
        exact: products keep activations as floats.

    Attributes:
        architecture: the network's sizes.
        x: the residual stream, which a stage changes.
        buffers: of steps, by name; `x` among them.
        hidden: inside the feed-forward network: of the gate, which takes the product of both, and beside it.
        experts: of a mixture of experts; None: the network has none.
        logits: of the last activation, or of every one.
        caches: memory for the keys and the values of each layer.

    Raises:
        UsageError: there is not enough memory for the context.
    """

    def __init__(self, architecture: Architecture, context: int, layers: int, threads: int, *, exact: bool) -> None:
        self.architecture, self._context, self._threads, self._exact = architecture, context, threads, exact
        self._turned = 0  # positions whose rotation is in the tables
        self._at = np.zeros(1, np.int64)
        self._ids, self._places = np.zeros(BATCH, np.int64), np.zeros(BATCH, np.int64)
        self._make_buffers()
        self.caches = self._make_caches(layers)

    def _make_buffers(self) -> None:
        sizes = self.architecture
        q, kv = sizes.n_heads * sizes.head_dim, sizes.n_kv_heads * sizes.head_dim
        room = partial(Buffer, min(BATCH, self._context))
        self.x = room(sizes.dim)
        self.buffers = {"x": self.x, "normed": room(sizes.dim), "added": room(sizes.dim)}
        self.buffers |= {"q": room(q), "k": room(kv), "v": room(kv), "attended": room(q)}
        self.hidden = {GATE: room(sizes.hidden_dim), UP: room(sizes.hidden_dim)}
        rows = min(BATCH, self._context)
        self.experts = None if sizes.n_experts is None else ExpertBuffers.of(sizes, rows)
        self.logits = Buffer(1, sizes.vocab_size)

    def _make_caches(self, layers: int) -> list[Caches]:
        sizes = self.architecture
        try:
            turns = [sizes.turns_of(layer, self._context) for layer in range(sizes.n_layers)]
            self._rotations: dict[RotaryTurns, Floats] = {
                each: np.zeros((self._context, each.columns), np.float32) for each in dict.fromkeys(filter(None, turns))
            }
            self._turns = turns
            heads = (sizes.n_heads, sizes.n_kv_heads, sizes.head_dim)
            numbers = (sizes.norm_eps, sizes.score_scale, sizes.attention_softcap or 0.0)
            self._sizes = Sizes(*heads, self._context, *numbers)
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
        """Puts the first of `count` activations at a position, and fills the tables of rotations up to the last.

        Positions that are never reached take no memory and no time.
        """
        self._at[0], end = position, position + count
        self._places[:count] = np.arange(position, end)
        if end > self._turned:
            more = min(self._context, max(end, 2 * self._turned, BATCH))
            for turns, table in self._rotations.items():
                table[self._turned : more] = turns.table(more, self._turned)
            self._turned = more

    def make_room_for_logits(self, count: int) -> bool:
        """Makes room for the logits of `count` tokens; returns whether programs have to be made again."""
        if self.logits.rows >= count:
            return False
        self.logits = Buffer(count, self.architecture.vocab_size)
        return True

    def rotation_of(self, layer: int) -> Floats:
        """The table of a layer's rotation, float32 (context, columns that turn)."""
        turns = self._turns[layer]
        return np.zeros((self._context, 0), np.float32) if turns is None else self._rotations[turns]

    # -- stages

    def program(self, count: int) -> Program:
        """A program without steps for `count` activations."""
        return Program(count, self._sizes, self._at, self._threads, exact=self._exact)

    def embed(self, program: Program, embedding: Packed, positions: Packed | None) -> None:
        """Looks up the tokens, and their positions where the network has embeddings of these."""
        program.gather(embedding, self._ids, self.x)
        if self.architecture.embedding_scale != 1:
            program.scale(self.x, self.architecture.embedding_scale)
        if positions is not None:
            program.gather(positions, self._places, self.buffers["added"])
            program.add(self.buffers["added"], self.x)

    def layer(
        self, program: Program, number: int, weights: LayerWeights, caches: Caches, observe: Observer | None = None
    ) -> None:
        """A layer; `observe` is called with the inputs of its matrices whenever the program runs."""
        LayerProgram(self, program, number, weights, caches, observe).append()

    def classify(
        self,
        program: Program,
        weights: AnyWeights,
        output: Packed,
        *,
        every: bool,
        observe: Observer | None = None,
    ) -> None:
        """The logits of the last activation, or with `every` of each, by a matrix that may replace the network's own.

        Only with `every` an observer can be given.
        """
        sizes, vectors = self.architecture, weights.vectors
        normed = self.last_norm(program, weights, output.cols, every=every, observe=observe)
        count = program.count if every else 1
        program.product(normed, [(output, self.logits)], count)
        if "output.bias" in vectors:
            program.bias(vectors["output.bias"], self.logits, count)
        if sizes.output_scale != 1:
            program.scale(self.logits, sizes.output_scale, count)
        if sizes.output_softcap is not None:
            program.soft_cap(self.logits, sizes.output_softcap, count)

    def last_norm(
        self,
        program: Program,
        weights: AnyWeights,
        cols: int,
        *,
        every: bool,
        observe: Observer | None = None,
    ) -> Buffer:
        """The norm before the classifier, which has so many columns; arguments are those of `classify`."""
        normed, kind, bias = (
            self.buffers["normed"],
            self.architecture.network.norm_kind,
            weights.vectors.get("norm.bias"),
        )
        program.norm(self.x, weights.vectors["norm"], normed, bias=bias, kind=kind, only_last=not every)
        if observe is not None:
            show(program, observe, (weights.output_name,), normed, cols)
        return normed
