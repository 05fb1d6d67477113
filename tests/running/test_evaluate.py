"""Losses and divergences against their formulas, in float64, one position at a time."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from fourcc.models.evaluate import Scores, evaluate, interval, log_softmax, noise_floor
from fourcc.models.windows import Window

VOCABULARY = 11


class Fixed:
    """Stands for a model: logits that depend on the token before alone."""

    def __init__(self, seed: int) -> None:
        self.table = np.random.default_rng(seed).standard_normal((VOCABULARY, VOCABULARY)).astype(np.float32)
        self.seen: list[int] = []

    def reset(self) -> None:
        """Forgets."""
        self.seen = []

    def forward(self, tokens: list[int], *, every: bool = False) -> NDArray[np.float32]:
        """The rows of the tokens."""
        self.seen += list(tokens)
        return self.table[list(tokens)] if every else self.table[list(tokens)][-1:]


def slow(model: Fixed, reference: Fixed, window: Window) -> list[tuple[float, float, float]]:
    """Loss, divergence and agreement of each scored token, from the definitions."""
    found = []
    for at in range(window.first, len(window.tokens)):
        before, token = window.tokens[at - 1], window.tokens[at]
        q, p = (distribution(each.table[before]) for each in (model, reference))
        divergence = sum(b * math.log(b / a) for a, b in zip(q, p, strict=True))
        found.append((-math.log(q[token]), divergence, float(q.index(max(q)) == p.index(max(p)))))
    return found


def distribution(logits: NDArray[np.float32]) -> list[float]:
    """Softmax by the book."""
    powers = [math.exp(float(logit)) for logit in logits]
    return [power / sum(powers) for power in powers]


def made(count: int, length: int) -> list[Window]:
    """Random windows, of which some begin to be scored late."""
    rng = np.random.default_rng(5)
    return [Window(tuple(map(int, rng.integers(0, VOCABULARY, length))), 1 + 3 * (i % 2)) for i in range(count)]


def test_scores_are_those_of_the_definitions() -> None:
    """Of two candidates at once; longer windows than a batch."""
    candidates, reference, windows = [Fixed(1), Fixed(2)], Fixed(3), made(3, 600)
    scores, own = evaluate(candidates, windows, reference)  # type: ignore[arg-type]
    assert own is not None
    for model, found in zip(candidates, scores, strict=True):
        for number, window in enumerate(windows):
            wanted = np.array(slow(model, reference, window))
            measured = [found.losses[number], found.divergences[number], found.agreements[number]]
            np.testing.assert_allclose(np.stack(measured, axis=1), wanted, rtol=1e-6, atol=1e-7)
    assert own.divergence.mean == 0
    assert own.agreement.mean == 1


def test_without_a_reference_only_losses_are_measured() -> None:
    """And the reference's scores are none."""
    (scores,), own = evaluate([Fixed(1)], made(2, 20))  # type: ignore[list-item]
    assert own is None
    assert not scores.divergences
    assert scores.tokens == sum(window.scored for window in made(2, 20))
    assert scores.perplexity.mean == pytest.approx(math.exp(scores.loss.mean))


def test_an_interval_holds_its_mean_and_narrows_with_more_windows() -> None:
    """The same numbers give the same interval."""
    rng = np.random.default_rng(0)
    few, many = ([rng.normal(3, 1, 50) for _ in range(count)] for count in (10, 1000))
    narrow, wide = interval(many), interval(few)
    assert wide.low < wide.mean < wide.high
    assert narrow.high - narrow.low < (wide.high - wide.low) / 3
    assert interval(few) == wide
    assert abs(narrow.mean - 3) < 0.05


def test_the_ratio_is_paired() -> None:
    """A constant difference has no spread, however much the losses vary."""
    rng = np.random.default_rng(0)
    base = [rng.normal(2, 1, 30) for _ in range(8)]
    ratio = Scores(losses=[each + 0.1 for each in base]).ratio(Scores(losses=base))
    assert ratio.mean == pytest.approx(math.exp(0.1))
    assert ratio.high - ratio.low < 1e-12


def test_log_softmax_bears_large_logits() -> None:
    """No overflow; the sum of probabilities is 1."""
    logs = log_softmax(np.array([[3e38, 0, -3e38], [1, 2, 3]], np.float32))
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1)
    assert logs[0, 0] == 0


def test_the_noise_floor_is_that_of_one_by_one() -> None:
    """Of a model that does not care, nothing."""
    assert noise_floor(Fixed(1), made(1, 30)[0]) == 0  # type: ignore[arg-type]
