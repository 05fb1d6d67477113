"""A network that any process opens by itself, once, and that its threads share: what tasks of an executor are given."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from threading import Lock, local
from typing import TYPE_CHECKING, Self

import attrs

from fourcc.cluster.conditions import Conditions, conditions
from fourcc.models.opening import open_to_look
from fourcc.models.staged import StagedNetwork
from fourcc.sources import open_source

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


@attrs.frozen
class Spread:
    """What work with a model on other processes needs.

    Attributes:
        conditions: that each worker checks.
        network: that each worker opens.
    """

    conditions: Conditions
    network: StoredNetwork

    @classmethod
    def of(
        cls,
        model: str | Path,
        tokenizer: str | Path | None,
        context: int,
        threads: int | None,
        output: Path | None = None,
        files: Iterable[Path] = (),
    ) -> Self:
        """What work with a model needs; results depend on the SIMD target, so all workers have that of this process.

        Args:
            model: the checkpoint's file or folder.
            tokenizer: that replaces its own.
            context: positions that its networks have room for.
            threads: of a task; None: one.
            output: into whose folder workers write; None: they do not.
            files: further ones that workers read.
        """
        with open_source(model, tokenizer) as source:
            tags, read = {tensor.tag for tensor in source.tensors}, list(source.all_files)
        known = conditions(tags, [*read, *files], output, simd=True)
        spelling = None if tokenizer is None else str(Path(tokenizer).absolute())
        return cls(known, StoredNetwork(str(Path(model).absolute()), spelling, context, threads or 1, known.key))


@lru_cache(KEPT)
def _model(stored: StoredNetwork) -> Model:
    return open_to_look(stored.path, tokenizer=stored.tokenizer, run=True)


@lru_cache(KEPT)
def _network(stored: StoredNetwork) -> Transformer:
    return _model(stored).network(stored.context, stored.threads)
