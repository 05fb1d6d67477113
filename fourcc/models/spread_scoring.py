"""Models are scored on the workers of an executor: windows are spread, and measures come back in order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from threading import RLock
from typing import TYPE_CHECKING

import attrs

from fourcc.cluster.workers import Job, Workers
from fourcc.models import scoring
from fourcc.models.scoring import NetworkFacts, ScoredModel
from fourcc.models.window_batches import Batch, batches_of

if TYPE_CHECKING:
    from fourcc.models.model import ActivationMode
    from fourcc.models.scoring import Doubles
    from fourcc.models.stored_network import StoredNetwork
    from fourcc.models.windows import Window

MOST = 1000  # batches of windows; measures of a token do not depend on them
_busy = RLock()  # of the process's networks, which read one window at a time


@attrs.frozen
class ScoringRequest:
    """All that a worker needs to score models.

    Attributes:
        models: each with how its products take activations, see `Model.network`; all read the same tokens.
        reference: to compare with; None: there is none.
        vocabulary: number of tokens; further rows of a network are padding.
    """

    models: tuple[tuple[StoredNetwork, ActivationMode], ...]
    reference: StoredNetwork | None
    vocabulary: int


def spread_facts(workers: Workers, request: ScoringRequest, window: Window) -> NetworkFacts:
    """The facts of the networks, from a worker; the noise floor is measured on a window."""
    ((_, facts),) = workers.results([Job(0, facts_on_worker, (request, window))])
    found: NetworkFacts = facts
    return found


def spread_measures(
    workers: Workers, request: ScoringRequest, windows: Sequence[Window], report: Callable[[int], None]
) -> Iterator[Doubles]:
    """Measures of all windows in order, as `scoring.window_measures` gives them; others wait for their turn."""
    batches = batches_of(windows, MOST)
    waiting: dict[int, list[Doubles]] = {}
    turn = 0
    jobs = (Job(number, score_on_worker, (request, batch)) for number, batch in enumerate(batches))
    for number, measures in workers.results(jobs):
        report(sum(window.scored for window in batches[number].windows))
        waiting[number] = measures
        while turn in waiting:
            yield from waiting.pop(turn)
            turn += 1


def score_on_worker(request: ScoringRequest, batch: Batch) -> list[Doubles]:
    """Measures of a batch of windows, in a worker. Raises InputError for logits that are not finite."""
    with _busy:
        models, reference = _networks(request)
        return [
            scoring.window_measures(models, window, number, request.vocabulary, reference)
            for number, window in enumerate(batch.windows, batch.number)
        ]


def facts_on_worker(request: ScoringRequest, window: Window) -> NetworkFacts:
    """The facts of the networks, in a worker."""
    with _busy:
        models, reference = _networks(request)
        floor = None if reference is None else scoring.noise_floor(reference.network, window, request.vocabulary)
        modes = [mode for _, mode in request.models]
        used = [each.network.range_use if mode == "static" else None for each, mode in zip(models, modes, strict=True)]
        return NetworkFacts(tuple(each.network.exact for each in models), tuple(used), floor)


@lru_cache(1)
def _networks(request: ScoringRequest) -> tuple[list[ScoredModel], ScoredModel | None]:
    """The networks, and the reference's."""
    models = [
        ScoredModel(stored.model.taking(mode, stored.network), str(stored.model.path))
        for stored, mode in request.models
    ]
    known = request.reference
    reference = None if known is None else ScoredModel(known.network.exactly(), str(known.model.path))
    return models, reference
