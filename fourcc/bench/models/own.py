"""fourcc as an engine."""

from __future__ import annotations

from collections.abc import Sequence

from fourcc.bench.models.trial import ModelTrial, TrialOutcome, measured
from fourcc.models.model import Model
from fourcc.models.transformer import Transformer


class Own:
    """A network that is ready to run."""

    def __init__(self, network: Transformer) -> None:
        self._network = network
        self.vocab = network.architecture.vocab_size
        self.reset = network.reset

    def read(self, tokens: Sequence[int]) -> None:
        """Runs tokens at once."""
        self._network.forward(tokens)


def measure(trial: ModelTrial) -> TrialOutcome:
    """Runs a model.bin."""
    with Model(trial.file) as model:
        return measured(trial, Own(model.network(trial.prompt + trial.generated, trial.threads)))
