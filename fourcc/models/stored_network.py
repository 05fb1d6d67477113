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
from fourcc.models.weights_in_turn import NetworkInTurn
from fourcc.sources import open_source

if TYPE_CHECKING:
    from fourcc.models.model import Model
    from fourcc.models.transformer import Transformer
    from fourcc.tags import FourCC

KEPT = 2  # models that a process keeps open: a model and its reference
_opening = Lock()
_mine = local()  # of each thread: the stages that it runs


@attrs.frozen
class StoredNetwork:
    """A network, by what is needed to open it. It needs no tokenizer: whoever hands out tasks has tokens.

    Attributes:
        path: of the model, absolute.
        context: positions to have room for.
        threads: that a task runs on.
        work: names the work that it is opened for; another work opens it again.
        in_turn: whether the stages have their weights in memory in turn.
    """

    path: str
    context: int
    threads: int
    work: str
    in_turn: bool = False

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
            network = NetworkInTurn(self.model, self.context, self.threads) if self.in_turn else self.network
            _mine.staged, _mine.of = StagedNetwork(network), self
        staged: StagedNetwork = _mine.staged
        return staged


@attrs.frozen
class WorkElsewhere:
    """The needs of work with models on other processes.

    Attributes:
        conditions: that each worker checks.
        networks: that each worker opens.
    """

    conditions: Conditions
    networks: tuple[StoredNetwork, ...]

    @classmethod
    def of(
        cls,
        models: Iterable[Path],
        context: int,
        threads: int | None,
        output: Path | None = None,
        files: Iterable[Path] = (),
        tags: Iterable[FourCC] = (),
        *,
        in_turn: bool = False,
    ) -> Self:
        """The needs of work with models; results depend on the SIMD target, so all workers have that of this process.

        Args:
            models: a checkpoint's file or folder each.
            context: positions that its networks have room for.
            threads: of a task; None: one.
            output: into whose folder workers write; None: they do not.
            files: further ones that workers read.
            tags: of further formats that the work uses.
            in_turn: as `StoredNetwork` has it.
        """
        paths, used, read = list(models), set(tags), list(files)
        for path in paths:
            with open_source(path) as source:
                used.update(tensor.tag for tensor in source.tensors)
                read.extend(source.all_files)
        known = conditions(used, dict.fromkeys(read), output, simd=True)
        networks = [StoredNetwork(str(path.absolute()), context, threads or 1, known.key, in_turn) for path in paths]
        return cls(known, tuple(networks))


@lru_cache(KEPT)
def _model(stored: StoredNetwork) -> Model:
    return open_to_look(stored.path, run=True)


@lru_cache(KEPT)
def _network(stored: StoredNetwork) -> Transformer:
    return _model(stored).network(stored.context, stored.threads)
