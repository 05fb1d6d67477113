"""The original on the measuring text: what it says at the end, and its states before the layer that is measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import fsum
from typing import TYPE_CHECKING

import numpy as np

from fourcc.errors import InputError
from fourcc.models.scoring import divergences, log_softmax, slices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fourcc.arrays import Floats
    from fourcc.compute.packed import Packed
    from fourcc.models.staged import StagedNetwork
    from fourcc.models.windows import Window

    Doubles = NDArray[np.float64]

KEPT_BYTES = 512 << 20  # of the original's log-probabilities; those of further windows are computed again each time
EMBEDDED = -1  # the stage before the first layer


class WatchedInputs:
    """The inputs of matrices, as an observer collects them; matrices with the same inputs share one array.

    Stacks of experts are passed over: they are no units of a measurement.
    """

    def __init__(self) -> None:
        self._runs: dict[tuple[str, ...], list[Floats]] = {}

    def __call__(self, names: tuple[str, ...], inputs: Floats, *expert: int) -> None:
        """Takes a batch of inputs, float32 (n, cols), of the matrices with these names."""
        if not expert:
            self._runs.setdefault(names, []).append(inputs.copy())

    def by_name(self) -> dict[str, Floats]:
        """The inputs of each matrix, float32 (tokens, cols), in the order of the text."""
        whole = {names: np.concatenate(runs) for names, runs in self._runs.items()}
        return {name: inputs for names, inputs in whole.items() for name in names}


class OriginalRun:
    """The original network, which reads the text once, layer by layer, and compares changed networks with itself.

    Memory holds the states of one layer, the classifier's inputs, and up to `KEPT_BYTES` of probabilities.

    Args:
        network: the original.
        windows: the measuring text.
        vocabulary: number of tokens; further rows of the classifier are padding.
        report: called with the number of stages just run, over all windows.
        kept_bytes: of probabilities at most; None: `KEPT_BYTES`.

    Attributes:
        stage: the layer whose inputs are known; `EMBEDDED` before the first, the number of layers after the last.
        inputs: of the matrices of that stage, by name; at `EMBEDDED` those of the classifier.
    """

    def __init__(
        self,
        network: StagedNetwork,
        windows: Sequence[Window],
        vocabulary: int,
        report: Callable[[int], None] = lambda stages: None,  # noqa: ARG005 - a call that does nothing
        kept_bytes: int | None = None,
    ) -> None:
        self._room = KEPT_BYTES if kept_bytes is None else min(kept_bytes, KEPT_BYTES)
        self._network, self._windows, self._vocabulary, self._report = network, windows, vocabulary, report
        self._kept: dict[int, Doubles] = {}
        watched = WatchedInputs()
        self._ends = self._after_layers(EMBEDDED, [], {})
        self._keep_probabilities(watched)
        self._classified = watched.by_name()
        self.stage, self.inputs = EMBEDDED, self._classified
        self._hidden: list[Floats] = []

    @property
    def layers(self) -> int:
        """Number of layers."""
        return self._network.layers

    @property
    def tokens(self) -> Sequence[int]:
        """The tokens that are read, window after window."""
        return [token for window in self._windows for token in window.tokens[:-1]]

    def advance_to(self, stage: int) -> None:
        """Moves on to a stage, and collects the inputs of its matrices; to an earlier one from the start."""
        if stage == self.stage:
            return
        if stage < self.stage:
            self.stage, self.inputs, self._hidden = EMBEDDED, self._classified, []
        while self.stage < stage:
            self._advance()
        if stage < self.layers:
            self._watch()

    def _advance(self) -> None:
        """Moves on to the next stage."""
        self.stage += 1
        if self.stage == self.layers:
            self._hidden, self.inputs = self._ends, self._classified
            return
        if self.stage == 0:
            self._hidden = [self._network.embed(window.tokens[:-1]) for window in self._windows]
        else:
            self._hidden = [self._network.layer(self.stage - 1, hidden) for hidden in self._hidden]
        self._report(1)

    def _watch(self) -> None:
        """Collects the inputs of the layer's matrices, which takes a run of it."""
        watched = WatchedInputs()
        for hidden in self._hidden:
            self._network.layer(self.stage, hidden, observe=watched)
        self.inputs = watched.by_name()
        self._report(1)

    def divergence(self, replaced: Mapping[str, Packed]) -> float:
        """Mean KL divergence in nats a token, from the stage on with these matrices in place of the original's.

        The sum over tokens is exact (`math.fsum`), so it has no order.

        Raises:
            InputError: the changed network gives numbers that are not finite.
        """
        ends = self._after_layers(self.stage, self._hidden, replaced)
        found = [self._of_window(number, end, replaced) for number, end in enumerate(ends)]
        self._report(self.stages_left)
        return fsum(value for each in found for value in each) / sum(map(len, found))

    @property
    def stages_left(self) -> int:
        """Number of stages that a comparison runs."""
        return self.layers - self.stage + 1

    # -- one window

    def _of_window(self, number: int, end: Floats, replaced: Mapping[str, Packed]) -> Doubles:
        """KL divergences of a window's scored tokens, float64 (scored,), from its states after the last layer."""
        mine = self._scored(self._windows[number], self._network.logits(end, replaced=replaced))
        if not np.isfinite(mine).all():
            names = ", ".join(replaced)
            raise InputError(
                "with these encoded weights the logits are not finite", tensor=names, hint="Leave the option out."
            )
        reference = self._probabilities(number)
        runs = slices(len(mine), self._vocabulary)
        return np.concatenate([divergences(reference[rows], log_softmax(mine[rows])) for rows in runs])

    def _after_layers(self, stage: int, hidden: list[Floats], replaced: Mapping[str, Packed]) -> list[Floats]:
        """The states of all windows after the last layer, float32 (tokens, width) each, from those before a layer.

        One layer after the other, so that the weights of one at a time have to be in memory.
        """
        if stage == EMBEDDED:
            hidden = [self._network.embed(window.tokens[:-1], replaced=replaced) for window in self._windows]
        for layer in range(max(stage, 0), self.layers):
            hidden = [self._network.layer(layer, each, replaced=replaced) for each in hidden]
        return hidden

    def _scored(self, window: Window, logits: Floats) -> Floats:
        """The logits of the scored tokens, without padding: float32 (scored, vocabulary)."""
        return logits[window.first - 1 :, : self._vocabulary]

    def _keep_probabilities(self, watched: WatchedInputs) -> None:
        room = self._room
        for number, (window, end) in enumerate(zip(self._windows, self._ends, strict=True)):
            logits = self._scored(window, self._network.logits(end, observe=watched))
            if not np.isfinite(logits).all():
                where = f"window {number + 1}"
                raise InputError(f"the original's logits in {where} are not finite", hint="Its weights are damaged.")
            room -= 8 * logits.size
            if room >= 0:
                self._kept[number] = log_softmax(logits)
        self._report(self.layers + 2)

    def _probabilities(self, number: int) -> Doubles:
        """The original's log-probabilities in a window, float64 (scored, vocabulary)."""
        if number in self._kept:
            return self._kept[number]
        return log_softmax(self._scored(self._windows[number], self._network.logits(self._ends[number])))
