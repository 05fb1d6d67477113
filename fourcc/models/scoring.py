"""Scores models on a text token by token: perplexity, and the distance from a reference.

With p the reference's probabilities of the next token and q the candidate's, over all tokens of the tokenizer:

* negative log likelihood: -ln q(the next token of the text), in nats; perplexity = e^(its mean)
* KL divergence: sum of p (ln p - ln q), in nats
* top-1 agreement: share of positions where the likeliest token is the same

The reference runs in lock step, so no logits are stored. Memory is bounded for any vocabulary: a network reads as many
tokens at once as have `LOGITS` bytes of logits, and probabilities are computed in slices of `SLICE` bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.errors import InputError
from fourcc.models.intervals import Interval, TextBlocks
from fourcc.models.stages import BATCH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fourcc.arrays import Floats
    from fourcc.models.transformer import RangeUse, Transformer
    from fourcc.models.windows import Cut, Window

    Doubles = NDArray[np.float64]

LOGITS = 64 << 20  # bytes of a network's logits, float32; they are copied once
SLICE = 4 << 20  # bytes of probabilities, float64; about six such arrays live at a time
FLOOR_TOKENS = 128  # tokens on which the noise floor is measured


@attrs.frozen
class ScoredModel:
    """A network to score.

    Attributes:
        network: the network, ready to run.
        name: the name of its file, for messages.
    """

    network: Transformer
    name: str


@attrs.frozen
class NetworkFacts:
    """Facts of networks that are ready to run.

    Attributes:
        exact: whether every product takes activations as floats, of each model.
        range_use: of each model; None where no static ranges were to be used.
        floor: a KL divergence from the reference below it means nothing; None without a reference.
    """

    exact: tuple[bool, ...]
    range_use: tuple[RangeUse | None, ...]
    floor: float | None


@attrs.define(eq=False, repr=False)
class Scores:
    """The scores of one model, token by token, with one array for each window.

    Attributes:
        documents: whether the windows are documents.
        losses: negative log likelihoods.
        divergences: KL divergences from the reference; empty where there is none.
        agreements: 1 where the likeliest token is the reference's, else 0; empty where there is none.
    """

    documents: bool = False
    losses: list[Doubles] = attrs.field(factory=list)
    divergences: list[Doubles] = attrs.field(factory=list)
    agreements: list[Doubles] = attrs.field(factory=list)

    def __repr__(self) -> str:
        return f"<Scores of {self.tokens} tokens in {len(self.losses)} windows>"

    @property
    def tokens(self) -> int:
        """Number of scored tokens."""
        return sum(map(len, self.losses))

    @property
    def blocks(self) -> TextBlocks:
        """The blocks of tokens from which intervals are computed."""
        return TextBlocks.of([len(each) for each in self.losses], whole=self.documents)

    @property
    def loss(self) -> Interval:
        """Mean negative log likelihood, in nats a token."""
        return self._interval(self.losses)

    @property
    def perplexity(self) -> Interval:
        """The exponential of the loss."""
        return self.loss.exponential()

    @property
    def divergence(self) -> Interval:
        """Mean KL divergence from the reference, in nats."""
        return self._interval(self.divergences)

    @property
    def agreement(self) -> Interval:
        """Top-1 agreement, from 0 to 1."""
        return self._interval(self.agreements)

    def quantile(self, share: float) -> float:
        """A quantile of the KL divergences: 0.5 for the median, 1 for the largest."""
        return float(np.quantile(np.concatenate(self.divergences), share))

    def ratio(self, reference: Scores) -> Interval:
        """Perplexity divided by the reference's, paired token by token."""
        pairs = zip(self.losses, reference.losses, strict=True)
        return self._interval([mine - theirs for mine, theirs in pairs]).exponential()

    def _interval(self, values: list[Doubles]) -> Interval:
        return self.blocks.interval(np.concatenate(values))


def score(
    models: Sequence[ScoredModel],
    text: Cut,
    vocabulary: int,
    reference: ScoredModel | None = None,
    report: Callable[[int], None] = lambda tokens: None,  # noqa: ARG005 - a call that does nothing
) -> tuple[list[Scores], Scores | None]:
    """Scores of networks, and of their reference.

    Args:
        models: the networks; all read the same tokens.
        text: the text that they read.
        vocabulary: number of tokens; further rows of a network are padding.
        reference: the network to compare with; None: there is none.
        report: called after each window with its number of tokens.

    Raises:
        InputError: a network gives a logit that is not finite.
    """

    def measured() -> Iterator[Doubles]:
        for number, window in enumerate(text.windows):
            yield window_measures(models, window, number, vocabulary, reference)
            report(window.scored)

    return gathered(measured(), documents=text.protocol.documents, compared=reference is not None)


def window_measures(
    models: Sequence[ScoredModel], window: Window, number: int, vocabulary: int, reference: ScoredModel | None
) -> Doubles:
    """Loss, KL divergence and agreement of each scored token of a window: float64 (networks, 3, scored).

    Arguments and errors are those of `score`; the reference, if there is one, comes before the networks.
    """
    everyone = [*([] if reference is None else [reference]), *models]
    return _LockStep(everyone, window, number, vocabulary, compared=reference is not None).measured()


def gathered(measures: Iterable[Doubles], *, documents: bool, compared: bool) -> tuple[list[Scores], Scores | None]:
    """The scores of each network, and of the reference that comes first where there is one.

    Args:
        measures: of all windows in order, as `window_measures` gives them.
        documents: whether the windows are documents.
        compared: whether there is a reference.
    """
    scores: list[Scores] = []
    for window in measures:
        scores = scores or [Scores(documents) for _ in window]
        for kept, measured in zip(scores, window, strict=True):
            kept.losses.append(measured[0])
            if compared:
                kept.divergences.append(measured[1])
                kept.agreements.append(measured[2])
    return (scores[1:], scores[0]) if compared else (scores, None)


@attrs.define
class _LockStep:
    """One window, which all networks read a few tokens at a time; the first may be the reference."""

    models: Sequence[ScoredModel]
    window: Window
    number: int
    vocabulary: int
    compared: bool

    @property
    def at_once(self) -> int:
        """Number of tokens that are read at once."""
        return tokens_at_once(max(each.network.architecture.vocab_size for each in self.models))

    def measured(self) -> Doubles:
        """Loss, KL divergence and agreement of each scored token: float64 (networks, 3, scored)."""
        measures, done = np.zeros((len(self.models), 3, self.window.scored)), 0
        for each in self.models:
            each.network.reset()
        for first in range(0, len(self.window.tokens) - 1, self.at_once):
            logits, nexts = self._read(first)
            for rows in slices(len(nexts), self.vocabulary):
                places = slice(done, done + len(nexts[rows]))
                measures[:, :, places] = self._measures([each[rows] for each in logits], nexts[rows], done)
                done = places.stop
            del logits  # frees them before the next are computed
        return measures

    def _read(self, first: int) -> tuple[list[Floats], NDArray[np.int64]]:
        """Logits of all networks, each float32 (n, vocabulary), and the n next tokens, where they are scored."""
        some = self.window.tokens[first : min(first + self.at_once, len(self.window.tokens) - 1)]
        skipped = min(len(some), max(0, self.window.first - 1 - first))
        nexts = self.window.tokens[first + 1 + skipped : first + 1 + len(some)]
        logits = [each.network.forward(some, every=True)[skipped:, : self.vocabulary] for each in self.models]
        return logits, np.array(nexts, np.int64)

    def _measures(self, logits: list[Floats], nexts: NDArray[np.int64], done: int) -> Doubles:
        """Loss, KL divergence and agreement of some tokens: float64 (networks, 3, n)."""
        measures = np.zeros((len(logits), 3, len(nexts)))
        reference: Doubles | None = None
        for place, each in enumerate(logits):
            self._check(place, each, done)
            mine = log_softmax(each)
            reference = mine if reference is None else reference
            measures[place, 0] = -mine[np.arange(len(nexts)), nexts]
            if self.compared:
                measures[place, 1] = divergences(reference, mine)
                measures[place, 2] = mine.argmax(axis=1) == reference.argmax(axis=1)
        return measures

    def _check(self, place: int, logits: Floats, done: int) -> None:
        """Raises InputError for logits that are not finite."""
        fine = np.isfinite(logits).all(axis=1)
        if fine.all():
            return
        row = int(fine.argmin())
        wrong = logits[row][~np.isfinite(logits[row])][0]
        where = f"{self.window.first + done + row} tokens of window {self.number + 1}"
        raise InputError(
            f"the model's logits after {where} are not finite",
            file=self.models[place].name,
            found=float(wrong),
            expected="finite numbers",
            hint="Its weights are damaged, or too large for float32.",
        )


def tokens_at_once(vocabulary: int) -> int:
    """Number of tokens that a network with a vocabulary of this size reads at once."""
    return max(1, min(BATCH, LOGITS // (4 * vocabulary)))


def slices(rows: int, vocabulary: int) -> Iterator[slice]:
    """Runs of rows whose probabilities take `SLICE` bytes."""
    count = max(1, SLICE // (8 * vocabulary))
    for first in range(0, rows, count):
        yield slice(first, first + count)


def log_softmax(logits: Floats) -> Doubles:
    """Logarithms of the probabilities, float64 (n, vocab_size)."""
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(axis=1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return shifted


def divergences(reference: Doubles, mine: Doubles) -> Doubles:
    """KL divergences from the reference, in nats: float64 (n,), from logarithms of probabilities (n, vocab_size)."""
    nats: Doubles = np.maximum((np.exp(reference) * (reference - mine)).sum(axis=1), 0)
    return nats


def noise_floor(reference: Transformer, window: Window, vocabulary: int) -> float:
    """Mean KL divergence of the reference from itself where it reads tokens one by one: a smaller one means nothing.

    Both runs compute the same products, but may sum in another order.
    """
    tokens = window.tokens[: min(FLOOR_TOKENS, tokens_at_once(reference.architecture.vocab_size))]
    reference.reset()
    at_once = reference.forward(tokens, every=True)[:, :vocabulary]
    reference.reset()
    total = 0.0
    for row, token in zip(at_once, tokens, strict=True):
        alone = reference.forward([token])[:, :vocabulary]
        total += float(divergences(log_softmax(row[None]), log_softmax(alone))[0])
    return total / len(tokens)
