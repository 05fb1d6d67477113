"""A network that any process opens by itself, once, and that its threads share: what tasks of an executor are given."""

from __future__ import annotations

from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from threading import Lock, local
from typing import TYPE_CHECKING

import attrs

from fourcc.models.opening import open_to_run
from fourcc.models.staged import StagedNetwork

if TYPE_CHECKING:
    from fourcc.models.model import Model
    from fourcc.models.transformer import Transformer

KEPT = 2  # models that a process keeps open: a model and its reference
_opening = Lock()
_mine = local()  # of each thread: the stages that it runs


@attrs.frozen
class StoredNetwork:
    """A network, by what is needed to open it.

    Attributes:
        path: of the model, absolute.
        tokenizer: the file that replaces the model's own; None: none does.
        context: positions to have room for.
        threads: that a task runs on.
        work: names the work that it is opened for; another work opens it again.
    """

    path: str
    tokenizer: str | None
    context: int
    threads: int
    work: str

    @property
    def model(self) -> Model:
        """The model, opened by the first thread of the process that asks."""
        with _opening:
            return _model(self)

    @property
    def network(self) -> Transformer:
        """The network, whose weights the process's threads share."""
        with _opening:
            return _network(self)

    @property
    def staged(self) -> StagedNetwork:
        """The stages of the network, with activations of this thread's own."""
        if getattr(_mine, "of", None) != self:
            _mine.staged, _mine.of = StagedNetwork(self.network), self
        staged: StagedNetwork = _mine.staged
        return staged


@lru_cache(KEPT)
def _model(stored: StoredNetwork) -> Model:
    stack = ExitStack()  # never closed: the process keeps the model as long as it lives, or until others take its place
    return open_to_run(stored.path, stack, tokenizer=None if stored.tokenizer is None else Path(stored.tokenizer))[0]


@lru_cache(KEPT)
def _network(stored: StoredNetwork) -> Transformer:
    return _model(stored).network(stored.context, stored.threads)
