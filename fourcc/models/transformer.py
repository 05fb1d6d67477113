"""A network's forward pass: a program of the steps that its declaration lists, over matrices in any mix of formats."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from functools import lru_cache
from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.errors import UsageError
from fourcc.models.stages import BATCH, Stages
from fourcc.models.weights import FindTensor, Weights, WeightsLoader
from fourcc.threads import thread_count

if TYPE_CHECKING:
    from fourcc.arrays import Floats
    from fourcc.compute.programs import Program
    from fourcc.models.architecture import Architecture


_log = logging.getLogger(__name__)


@attrs.frozen
class RangeUse:
    """The use that a network makes of static ranges.

    Attributes:
        used: matrices whose activations are quantized by ranges.
        matrices: that are multiplied.
    """

    used: int
    matrices: int

    def __str__(self) -> str:
        return f"static activations: {self.used} of {self.matrices} matrices use ranges"


class Transformer:
    """A network that is ready to run; it remembers the tokens that it has seen.

    Args:
        architecture: its sizes.
        find: name -> the tensor, or None where there is none.
        context: number of positions to have room for; None: as many as the model was made for.
        threads: number of threads.
        packed: called with a matrix's name once it is packed for its kernel.

    Attributes:
        architecture: its sizes.
        context: number of positions that it has room for.
        threads: number of threads.
        weights: its weights, which networks may share.
        position: number of tokens that it has seen.

    Raises:
        InputError: a tensor is missing, or has another shape than the sizes say.
        UsageError: there is not enough memory for the context.
    """

    def __init__(
        self,
        architecture: Architecture,
        find: FindTensor,
        context: int | None = None,
        threads: int | None = None,
        packed: Callable[[str], None] = lambda name: None,  # noqa: ARG005 - a call that does nothing
    ) -> None:
        self.architecture = architecture
        self.context = min(context or architecture.seq_len, architecture.longest)
        self.threads = thread_count(threads)
        began = time.monotonic()
        self.weights: Weights = WeightsLoader(architecture, find, packed).load()
        _log.info("packed the weights for products: %.3f s", time.monotonic() - began)
        sizes = architecture.n_layers, self.context, self.threads
        _log.info("the network has %d layers, room for %d positions, %d threads", *sizes)
        self._begin(exact=False)

    def exactly(self) -> Transformer:
        """A network over the same, shared weights whose products keep activations as floats; it has seen no token."""
        exact = copy(self)
        exact._begin(exact=True)  # noqa: SLF001 - of this class
        return exact

    def with_ranges(self, ranges: Mapping[str, Floats]) -> Transformer:
        """A network over the same, shared weights that quantizes activations by static ranges; it has seen no token.

        Args:
            ranges: float32 (columns / 32,) by names of matrices; where there is none, blocks have their own.
        """
        static = copy(self)
        static.weights = self.weights.with_ranges(ranges)
        static._begin(exact=False)  # noqa: SLF001 - of this class
        return static

    def _begin(self, *, exact: bool) -> None:
        """Makes activations, caches and programs of its own."""
        self.position = 0
        layers = len(self.weights.layers)
        self._stages = Stages(self.architecture, self.context, layers, self.threads, exact=exact)
        self._programs = lru_cache(maxsize=4)(self._program)

    @property
    def range_use(self) -> RangeUse:
        """How many of its matrices use static ranges. The others have none, or kernels that do not heed them."""
        matrices, stacks = self.weights.matrices, self.weights.stacks
        return RangeUse(sum(matrix.ranges is not None for matrix in matrices), len(matrices) + len(stacks))

    @property
    def exact(self) -> bool:
        """Whether every product takes activations as floats, so that `exactly` gives the same logits."""
        return self._programs(1, False).exact  # noqa: FBT003 - a key of the cache

    def reset(self, position: int = 0) -> None:
        """Forgets the tokens from a position on."""
        self.position = position

    def forward(self, tokens: Sequence[int], *, every: bool = False) -> Floats:
        """Logits after the last token, float32 (1, vocab_size), or with `every` after each token, (tokens, vocab_size).

        Without `every` the next call overwrites the array.

        Raises:
            UsageError: there is no room for so many tokens, or a number is no token.
        """
        self._check(tokens)
        kept = []
        for first in range(0, len(tokens), BATCH):
            some = tokens[first : first + BATCH]
            self._stages.take(some)
            self._stages.move_to(self.position, len(some))
            self._programs(len(some), every).run()
            self.position += len(some)
            if every:
                kept.append(self._logits(len(some)).copy())
        if every:
            return kept[0] if len(kept) == 1 else np.concatenate(kept)
        return self._logits(1)

    def _logits(self, count: int) -> Floats:
        return self._stages.logits.floats[:count, : self.architecture.vocab_size]

    def _check(self, tokens: Sequence[int]) -> None:
        if not tokens or self.position + len(tokens) > self.context:
            room = self.context - self.position
            raise UsageError(
                "bad number of tokens to run", found=len(tokens), expected=f"1 to {room}, the positions that are left"
            )
        self.architecture.check_tokens(tokens)

    def _program(self, count: int, every: bool) -> Program:  # noqa: FBT001 - a key of the cache
        """The program for `count` tokens."""
        if every and self._stages.make_room_for_logits(count):
            self._programs.cache_clear()
        stages, weights = self._stages, self.weights
        program = stages.program(count)
        stages.embed(program, weights.embedding, weights.positions)
        for number, (layer, caches) in enumerate(zip(weights.layers, stages.caches, strict=True)):
            stages.layer(program, number, layer, caches)
        stages.classify(program, weights, weights.output, every=every)
        return program
