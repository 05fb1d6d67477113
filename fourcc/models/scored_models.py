"""Scores of models that read the same tokens in lock step, computed here or on the workers of an executor."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import attrs

from fourcc.models import scoring
from fourcc.models.scoring import NetworkFacts, ScoredModel, Scores

if TYPE_CHECKING:
    from fourcc.execution import Execution
    from fourcc.models.model import ActivationMode, Model
    from fourcc.models.windows import Cut


@attrs.frozen
class EvaluatedModel:
    """A model to measure.

    Attributes:
        model: the opened model.
        activations: how its products take activations, see `Model.network`.
    """

    model: Model
    activations: ActivationMode = "dynamic"


AllScores = tuple[Sequence[Scores], Scores | None]  # of each model, and of the reference


def scored_here(
    evaluated: Sequence[EvaluatedModel],
    text: Cut,
    reference: Model | None,
    words: int,
    how: Execution,
    report: Callable[[int], None],
) -> tuple[AllScores, NetworkFacts]:
    """Scores of each model, the reference's, and facts of the networks."""
    context = text.protocol.context
    network = None if reference is None else reference.network(context, how.threads).exactly()
    own = None if network is None else ScoredModel(network, str(reference and reference.path))
    plain = {id(each.model): each.model.network(context, how.threads) for each in evaluated}
    networks = [each.model.taking(each.activations, plain[id(each.model)]) for each in evaluated]
    once = {id(net): ScoredModel(net, str(each.model.path)) for net, each in zip(networks, evaluated, strict=True)}
    found, theirs = scoring.score(list(once.values()), text, words, own, report)
    scores = dict(zip(once, found, strict=True))
    floor = None if network is None else scoring.noise_floor(network, text.windows[0], words)
    modes = zip(networks, evaluated, strict=True)
    used = tuple(net.range_use if each.activations == "static" else None for net, each in modes)
    facts = NetworkFacts(tuple(net.exact for net in networks), used, floor)
    return ([scores[id(net)] for net in networks], theirs), facts


def scored_elsewhere(
    evaluated: Sequence[EvaluatedModel],
    text: Cut,
    reference: Model | None,
    words: int,
    how: Execution,
    report: Callable[[int], None],
) -> tuple[AllScores, NetworkFacts]:
    """As `scored_here`, on the workers of the executor."""
    from fourcc.cluster.workers import Workers
    from fourcc.models.spread_scoring import ScoringRequest, spread_facts, spread_measures
    from fourcc.models.stored_network import WorkElsewhere

    assert how.executor is not None
    models = [*(each.model for each in evaluated), *([] if reference is None else [reference])]
    spread = WorkElsewhere.of([model.path for model in models], text.protocol.context, how.threads)
    stored = spread.networks
    modes = [each.activations for each in evaluated]
    pairs = tuple(zip(stored[: len(modes)], modes, strict=True))
    request = ScoringRequest(pairs, None if reference is None else stored[-1], words)
    with Workers(how.executor, spread.conditions) as workers:
        facts = spread_facts(workers, request, text.windows[0])
        measures = spread_measures(workers, request, text.windows, report)
        found = scoring.gathered(measures, documents=text.protocol.documents, compared=reference is not None)
    return found, facts
