"""A network that is run stage by stage: the inputs of its matrices can be watched, and matrices replaced."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from fourcc.errors import UsageError
from fourcc.models.expert_program import Observer
from fourcc.models.stages import BATCH, Stages
from fourcc.models.weights import EMBEDDING, Inputs, LayerWeights, replaced_by
from fourcc.models.weights_in_turn import NetworkInTurn, WeightsInTurn

if TYPE_CHECKING:
    from fourcc.arrays import Floats
    from fourcc.compute.packed import Packed
    from fourcc.compute.programs import Program
    from fourcc.models.transformer import Transformer

KEPT = 1024  # programs that are kept: windows of documents have many lengths
NOTHING: Mapping[str, Packed] = {}


class StagedNetwork:
    """The stages of a network: the embedding, each layer, the classifier. Activations are never rounded.

    It takes one window at a time, which begins at position 0. Embedding, layers and logits one after the other give
    what `network.exactly().forward(tokens, every=True)` gives, bit for bit. Mappings `replaced` give matrices that take
    the place of those with their names for one call; names that a stage does not have are passed over.

    >>> staged = StagedNetwork(model.network())  # doctest: +SKIP
    >>> hidden = staged.embed(tokens)  # doctest: +SKIP
    >>> for number in range(staged.layers):  # doctest: +SKIP
    ...     hidden = staged.layer(number, hidden, observe=lambda names, x: print(names, x.shape))
    >>> staged.logits(hidden)  # doctest: +SKIP

    Args:
        network: its weights are shared, or loaded in turn; its context is the longest window.

    Attributes:
        layers: number of layers.
        width: columns of a hidden state, `dim`.
        vocab_size: number of logits.
        context: tokens of the longest window.
        threads: number of threads.

    Raises:
        UsageError: there is not enough memory for the context.
    """

    def __init__(self, network: Transformer | NetworkInTurn) -> None:
        sizes = network.architecture
        self.layers, self.width, self.vocab_size = sizes.n_layers, sizes.dim, sizes.vocab_size
        self.context, self.threads = network.context, network.threads
        self._architecture, self._weights, self._stage = sizes, network.weights, ""
        self._stages = Stages(sizes, network.context, 1, network.threads, exact=True)
        self._observer: Observer | None = None
        self._embedding = lru_cache(KEPT)(self._embedding_program)
        self._layer = lru_cache(KEPT)(self._layer_program)
        self._classifier = lru_cache(KEPT)(self._classifier_program)
        self._last_norm = lru_cache(KEPT)(self._last_norm_program)

    def inputs_of(self, number: int) -> list[Inputs]:
        """The inputs that an observer of a layer sees, in order; number `layers` is the classifier."""
        if number == self.layers:
            return [Inputs((self._weights.output_name,), self.width)]
        return self._weights.inputs_of(number)

    def embed(self, tokens: Sequence[int], *, replaced: Mapping[str, Packed] = NOTHING) -> Floats:
        """The embeddings of a window's tokens, float32 (tokens, width).

        Raises:
            UsageError: the window is empty or too long, or a number is no token.
        """
        self._check(len(tokens))
        self._architecture.check_tokens(tokens)
        self._come_to("embedding")
        own = self._weights.embedding
        packed = replaced_by(replaced, EMBEDDING, own)
        out = np.empty((len(tokens), self.width), np.float32)
        for some in _batches(len(tokens)):
            self._stages.take(tokens[some])
            self._stages.move_to(some.start, some.stop - some.start)
            program = self._embedding if packed is own else self._embedding_program
            program(some.stop - some.start, packed).run()
            out[some] = self._hidden(some)
        return out

    def layer(
        self,
        number: int,
        hidden: Floats,
        *,
        observe: Observer | None = None,
        replaced: Mapping[str, Packed] = NOTHING,
    ) -> Floats:
        """The hidden states of a window after a layer.

        Args:
            number: of the layer.
            hidden: float32 (tokens, width), the states before it; they are not changed.
            observe: called with the names of matrices, and their inputs, which are valid only during the call; for
                stacks of experts also with an expert's number, once for each that has inputs.
            replaced: matrices in place of the layer's own.

        Raises:
            UsageError: the window is empty or too long, or a matrix has another shape than the one it replaces.
        """
        self._check(len(hidden))
        self._come_to(f"layer {number}")
        own = self._weights.layers[number]
        weights = own if replaced.keys().isdisjoint(own.names) else own.with_matrices(replaced)
        out = np.empty((len(hidden), self.width), np.float32)
        self._clear_caches()
        with self._observed_by(observe):
            for some in _batches(len(hidden)):
                self._show(hidden[some])
                self._stages.move_to(some.start, len(hidden[some]))
                program = self._layer if weights is own else self._layer_program
                program(number, len(hidden[some]), weights).run()
                out[some] = self._hidden(some)
        return out

    def logits(
        self, hidden: Floats, *, observe: Observer | None = None, replaced: Mapping[str, Packed] = NOTHING
    ) -> Floats:
        """Logits after each token, float32 (tokens, vocab_size), from the states after the last layer.

        The classifier's matrix is called ``output``, where it is tied ``tok_embeddings``. Arguments and errors are
        those of `layer`.
        """
        self._check(len(hidden))
        self._come_to("classifier")
        own = self._weights.output
        packed = replaced_by(replaced, self._weights.output_name, own)
        out = np.empty((len(hidden), self.vocab_size), np.float32)
        if self._stages.make_room_for_logits(min(BATCH, self.context)):
            self._classifier.cache_clear()
        with self._observed_by(observe):
            for some in _batches(len(hidden)):
                self._show(hidden[some])
                program = self._classifier if packed is own else self._classifier_program
                program(len(hidden[some]), packed).run()
                out[some] = self._stages.logits.floats[: len(out[some]), : self.vocab_size]
        return out

    def show_classified(self, hidden: Floats, observe: Observer) -> None:
        """Shows an observer the classifier's inputs, as `logits` does, but computes no logits."""
        self._check(len(hidden))
        with self._observed_by(observe):
            for some in _batches(len(hidden)):
                self._show(hidden[some])
                self._last_norm(len(hidden[some])).run()

    def _check(self, tokens: int) -> None:
        if not 1 <= tokens <= self.context:
            raise UsageError("bad number of tokens to run", found=tokens, expected=f"1 to {self.context}, the context")

    def _come_to(self, stage: str) -> None:
        """Lets go of the weights of the stage that was run before, where they are to be in memory in turn."""
        if stage != self._stage and isinstance(self._weights, WeightsInTurn):
            for programs in (self._embedding, self._layer, self._classifier):
                programs.cache_clear()
            self._weights.let_go()
        self._stage = stage

    # -- activations

    def _show(self, hidden: Floats) -> None:
        """Makes these the states that the next program begins with."""
        self._stages.x.floats[: len(hidden), : self.width] = hidden

    def _hidden(self, some: slice) -> Floats:
        """The states that the last program has left, of a batch."""
        return self._stages.x.floats[: some.stop - some.start, : self.width]

    def _clear_caches(self) -> None:
        """Forgets the last window: attention multiplies what lies behind a window by 0, but 0 times NaN is NaN."""
        for cache in self._stages.caches[0]:
            cache[...] = 0

    @contextmanager
    def _observed_by(self, observe: Observer | None) -> Iterator[None]:
        self._observer = observe
        try:
            yield
        finally:
            self._observer = None

    def _observe(self, names: tuple[str, ...], inputs: Floats, *matrix: int) -> None:
        """The observer of every program; programs are kept while observers come and go."""
        if self._observer is not None:
            self._observer(names, inputs, *matrix)

    # -- programs

    def _embedding_program(self, count: int, packed: Packed) -> Program:
        program = self._stages.program(count)
        self._stages.embed(program, packed, self._weights.positions)
        return program

    def _layer_program(self, number: int, count: int, weights: LayerWeights) -> Program:
        program = self._stages.program(count)
        self._stages.layer(program, number, weights, self._stages.caches[0], self._observe)
        return program

    def _classifier_program(self, count: int, packed: Packed) -> Program:
        program = self._stages.program(count)
        self._stages.classify(program, self._weights, packed, every=True, observe=self._observe)
        return program

    def _last_norm_program(self, count: int) -> Program:
        program = self._stages.program(count)
        cols = self.width
        self._stages.last_norm(program, self._weights, cols, every=True, observe=self._observe)
        return program


def _batches(tokens: int) -> Iterator[slice]:
    """The batches of a window."""
    return (slice(first, min(first + BATCH, tokens)) for first in range(0, tokens, BATCH))
