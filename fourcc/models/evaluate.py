"""Perplexity of models on a text, and how far each is from a reference, token by token.

With p the reference's probabilities of the next token and q the candidate's, over all tokens of the vocabulary:

* negative log likelihood: -ln q(the token that came), in nats; perplexity = e^(its mean)
* KL divergence: sum of p (ln p - ln q), in nats
* top-1 agreement: share of positions where the likeliest token is the same

The reference runs in lock step, so no logits are stored. Intervals are bootstrapped over windows, since the tokens of a
window are not independent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.models.llama import BATCH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fourcc.format import Floats
    from fourcc.models.llama import Llama
    from fourcc.models.windows import Window

    Doubles = NDArray[np.float64]

RESAMPLES, SEED = 1000, 1
LEVEL = 0.95


@attrs.frozen(repr=False)
class Interval:
    """A mean, and the interval that holds it with 95 % confidence."""

    mean: float
    low: float
    high: float

    def __repr__(self) -> str:
        return f"{self.mean:.4g} ({self.low:.4g} to {self.high:.4g})"


@attrs.define(eq=False, repr=False)
class Scores:
    """What was measured of one model, token by token, window by window.

    Attributes:
        losses: negative log likelihoods, one array a window.
        divergences: KL divergences from the reference, likewise; empty where there is none.
        agreements: whether the likeliest token was the reference's, likewise.
    """

    losses: list[Doubles] = attrs.field(factory=list)
    divergences: list[Doubles] = attrs.field(factory=list)
    agreements: list[Doubles] = attrs.field(factory=list)

    def __repr__(self) -> str:
        return f"<Scores of {self.tokens} tokens in {len(self.losses)} windows>"

    @property
    def tokens(self) -> int:
        """How many were scored."""
        return sum(map(len, self.losses))

    @property
    def loss(self) -> Interval:
        """Mean negative log likelihood, in nats a token."""
        return interval(self.losses)

    @property
    def perplexity(self) -> Interval:
        """The exponential of the loss."""
        loss = self.loss
        return Interval(*(float(np.exp(each)) for each in (loss.mean, loss.low, loss.high)))

    @property
    def divergence(self) -> Interval:
        """Mean KL divergence from the reference, in nats."""
        return interval(self.divergences)

    @property
    def agreement(self) -> Interval:
        """Top-1 agreement, from 0 to 1."""
        return interval(self.agreements)

    def quantile(self, share: float) -> float:
        """A quantile of the KL divergences: 0.5 for the median, 1 for the largest."""
        return float(np.quantile(np.concatenate(self.divergences), share))

    def ratio(self, reference: Scores) -> Interval:
        """Perplexity by the reference's, paired window by window."""
        pairs = zip(self.losses, reference.losses, strict=True)
        found = interval([mine - theirs for mine, theirs in pairs])
        return Interval(*(float(np.exp(each)) for each in (found.mean, found.low, found.high)))


def interval(values: Sequence[Doubles]) -> Interval:
    """The mean over all tokens, and its bootstrap interval over windows; the same numbers give the same interval."""
    sums = np.array([each.sum() for each in values])
    counts = np.array([len(each) for each in values], np.float64)
    chosen = np.random.default_rng(SEED).integers(0, len(sums), (RESAMPLES, len(sums)))
    means = sums[chosen].sum(axis=1) / counts[chosen].sum(axis=1)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(sums.sum() / counts.sum()), float(low), float(high))


def evaluate(
    candidates: Sequence[Llama],
    windows: Iterable[Window],
    reference: Llama | None = None,
    report: Callable[[int], None] = lambda tokens: None,  # noqa: ARG005 - a call that does nothing
) -> tuple[list[Scores], Scores | None]:
    """Scores of the candidates, and of the reference.

    Args:
        candidates: models with the reference's vocabulary.
        windows: what they are measured on.
        reference: what they are compared with; None: nothing.
        report: called with the number of tokens after each window.
    """
    scores = [Scores() for _ in candidates]
    own = None if reference is None else Scores()
    for window in windows:
        _score(window, candidates, scores, reference, own)
        report(window.scored)
    return scores, own


def _score(
    window: Window, candidates: Sequence[Llama], scores: list[Scores], reference: Llama | None, own: Scores | None
) -> None:
    """One window, some tokens at a time; each model sees them when their turn has come."""
    everyone = [*candidates, *([reference] if reference is not None else [])]
    for model in everyone:
        model.reset()
    found: list[list[tuple[Doubles, ...]]] = [[] for _ in everyone]
    for first in range(0, len(window.tokens) - 1, BATCH):
        tokens = window.tokens[first : min(first + BATCH, len(window.tokens) - 1)]
        nexts = np.array(window.tokens[first + 1 : first + 1 + len(tokens)])
        skipped = max(0, window.first - 1 - first)
        logs = None
        for place in reversed(range(len(everyone))):  # the reference comes first
            mine = log_softmax(everyone[place].forward(tokens, every=True)[skipped:])
            if reference is not None and place == len(candidates):
                logs = mine
            found[place].append(_measures(mine, nexts[skipped:], logs))
    for place, kept in enumerate([*scores, *([own] if own is not None else [])]):
        columns = [np.concatenate(column) for column in zip(*found[place], strict=True)]
        kept.losses.append(columns[0])
        if own is not None:
            kept.divergences.append(columns[1])
            kept.agreements.append(columns[2])


def _measures(mine: Doubles, nexts: NDArray[np.int64], reference: Doubles | None) -> tuple[Doubles, ...]:
    """Loss, and against a reference KL divergence and agreement, of each position."""
    losses = -mine[np.arange(len(nexts)), nexts]
    if reference is None:
        return (losses,)
    divergences = (np.exp(reference) * (reference - mine)).sum(axis=1)
    same = (mine.argmax(axis=1) == reference.argmax(axis=1)).astype(np.float64)
    return losses, np.maximum(divergences, 0), same


def log_softmax(logits: Floats) -> Doubles:
    """Logarithms of the probabilities, float64 (n, vocab_size)."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


def noise_floor(reference: Llama, window: Window) -> float:
    """Mean KL divergence of the reference from itself where tokens come one by one: below that, nothing is measured."""
    tokens = window.tokens[: BATCH // 2]
    reference.reset()
    at_once = log_softmax(reference.forward(tokens, every=True))
    reference.reset()
    one_by_one = log_softmax(np.concatenate([reference.forward([token]).copy() for token in tokens]))
    return float(np.maximum((np.exp(at_once) * (at_once - one_by_one)).sum(axis=1), 0).mean())
