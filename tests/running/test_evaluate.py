"""Losses and divergences against their formulas, in float64, one position at a time; and the memory that they take."""

import math
import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from fourcc.errors import InputError
from fourcc.models import scoring
from fourcc.models.scoring import ScoredModel, Scores, log_softmax, noise_floor, score, slices, tokens_at_once
from fourcc.models.stages import BATCH
from fourcc.models.transformer import Transformer
from fourcc.models.windows import Cut, Protocol, Window
from tests.running.test_transformer import case

VOCABULARY = 11


class Fixed:
    """Stands for a network: logits that depend on the token before alone."""

    def __init__(self, seed: int, vocabulary: int = VOCABULARY) -> None:
        self.table = np.random.default_rng(seed).standard_normal((VOCABULARY, vocabulary)).astype(np.float32)
        self.architecture = SimpleNamespace(vocab_size=vocabulary)
        self.at_once: list[int] = []

    def reset(self) -> None:
        """Forgets nothing: there is nothing to remember."""

    def forward(self, tokens: list[int], *, every: bool = False) -> NDArray[np.float32]:
        """The rows of the tokens."""
        self.at_once.append(len(tokens))
        return self.table[list(tokens)] if every else self.table[list(tokens)][-1:]


def scored(model: Fixed | Transformer, name: str = "m.bin") -> ScoredModel:
    """A network, to be measured."""
    return ScoredModel(model, name)  # type: ignore[arg-type]


def slow(model: Fixed, reference: Fixed, window: Window, vocabulary: int) -> list[tuple[float, float, float]]:
    """Loss, divergence and agreement of each scored token, from the definitions."""
    found = []
    for at in range(window.first, len(window.tokens)):
        before, token = window.tokens[at - 1], window.tokens[at]
        q, p = (distribution(each.table[before][:vocabulary]) for each in (model, reference))
        divergence = sum(b * math.log(b / a) for a, b in zip(q, p, strict=True))
        found.append((-math.log(q[token]), divergence, float(q.index(max(q)) == p.index(max(p)))))
    return found


def distribution(logits: NDArray[np.float32]) -> list[float]:
    """Softmax by the book."""
    powers = [math.exp(float(logit)) for logit in logits]
    return [power / sum(powers) for power in powers]


def made(count: int, length: int, *, tokens: int = VOCABULARY, documents: bool = False) -> Cut:
    """Random windows, some of which are scored from a late token on; every other one after a whole batch was read."""
    rng = np.random.default_rng(5)
    some = [tuple(map(int, rng.integers(0, tokens, length))) for _ in range(count)]
    firsts = [1 + (min(length - 2, 300) if number % 2 else 0) for number in range(count)]
    windows = tuple(Window(*each) for each in zip(some, firsts, strict=True))
    return Cut(Protocol(length, documents=documents), windows, None, None)


@pytest.mark.parametrize("step", [BATCH, 7, 1])
def test_scores_are_those_of_the_definitions(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two candidates, for every number of tokens read at once and of probabilities computed at once."""
    monkeypatch.setattr(scoring, "LOGITS", 4 * VOCABULARY * step)
    monkeypatch.setattr(scoring, "SLICE", 8 * VOCABULARY * (5 if step > 1 else 1000))
    candidates, reference, text = [Fixed(1), Fixed(2)], Fixed(3), made(3, 600)
    scores, own = score([scored(each) for each in candidates], text, VOCABULARY, scored(reference))
    assert max(reference.at_once) == step
    assert own is not None
    for model, found in zip(candidates, scores, strict=True):
        for number, window in enumerate(text.windows):
            wanted = np.array(slow(model, reference, window, VOCABULARY))
            measured = [found.losses[number], found.divergences[number], found.agreements[number]]
            np.testing.assert_allclose(np.stack(measured, axis=1), wanted, rtol=1e-6, atol=1e-7)
            np.testing.assert_allclose(
                own.losses[number], np.array(slow(reference, reference, window, VOCABULARY))[:, 0]
            )


def test_padding_rows_are_left_out() -> None:
    """Probabilities are over the tokens in use, in networks of any width; the logits of padding do not count."""
    model, reference, text = Fixed(1, vocabulary=VOCABULARY + 5), Fixed(3), made(2, 40)
    model.table[:, VOCABULARY:] = np.nan
    (found,), own = score([scored(model)], text, VOCABULARY, scored(reference))
    assert own is not None
    wanted = np.array([each for window in text.windows for each in slow(model, reference, window, VOCABULARY)])
    np.testing.assert_allclose(np.concatenate(found.losses), wanted[:, 0], rtol=1e-6)
    np.testing.assert_allclose(np.concatenate(found.divergences), wanted[:, 1], rtol=1e-6)


def test_without_a_reference_only_losses_are_measured() -> None:
    """Without a reference there are no divergences, and no scores of a reference."""
    text, seen = made(2, 20), list[int]()
    (scores,), own = score([scored(Fixed(1))], text, VOCABULARY, report=seen.append)
    assert own is None
    assert not scores.divergences
    assert scores.tokens == text.scored == sum(seen)
    assert repr(scores) == f"<Scores of {text.scored} tokens in 2 windows>"
    assert scores.perplexity.mean == pytest.approx(math.exp(scores.loss.mean))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_a_logit_that_is_not_finite_is_refused(value: float, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names file and place: the third window's last token is scored after 3 tokens, in slices or not."""
    monkeypatch.setattr(scoring, "SLICE", size)
    broken = Fixed(1)
    broken.table[7, 4] = value
    windows = (Window((0, 1, 2)), Window((2, 2, 7)), Window((0, 1, 7, 3)))
    text = Cut(Protocol(5), windows, None, None)
    wanted = rf"^bad.bin: the model's logits after 3 tokens of window 3 are not finite: found {value}, expected finite"
    with pytest.raises(InputError, match=wanted) as raised:
        score([scored(broken, "bad.bin")], text, VOCABULARY)
    assert raised.value.exit_code == 3
    with pytest.raises(InputError, match=wanted):
        score([scored(Fixed(2), "good.bin")], text, VOCABULARY, scored(broken, "bad.bin"))


def test_intervals_are_of_blocks_and_documents() -> None:
    """Blocks follow the cut of the text."""
    for documents in (False, True):
        (scores,), _ = score([scored(Fixed(1))], made(20, 100, documents=documents), VOCABULARY)
        assert scores.blocks.whole == documents
        assert scores.loss == scores.blocks.interval(np.concatenate(scores.losses))


def test_the_ratio_is_paired() -> None:
    """A constant difference has no spread, however much the losses vary."""
    rng = np.random.default_rng(0)
    base = [rng.normal(2, 1, 100) for _ in range(8)]
    ratio = Scores(losses=[each + 0.1 for each in base]).ratio(Scores(losses=base))
    assert ratio.mean == pytest.approx(math.exp(0.1))
    assert ratio.half is not None
    assert ratio.half < 1e-12


def test_log_softmax_bears_large_logits() -> None:
    """No overflow; the sum of probabilities is 1."""
    logs = log_softmax(np.array([[3e38, 0, -3e38], [1, 2, 3]], np.float32))
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1)
    assert logs[0, 0] == 0


def test_the_noise_floor_is_that_of_one_by_one() -> None:
    """It is 0 for a model that does not depend on batches, and about half the square of a small change of logits."""
    window = made(1, 30).windows[0]
    assert noise_floor(Fixed(1), window, VOCABULARY) == 0  # type: ignore[arg-type]
    moving = Fixed(1)
    at_once = moving.table.copy()
    plain = moving.forward

    def forward(tokens: list[int], *, every: bool = False) -> NDArray[np.float32]:
        moving.table = at_once if every else at_once + np.float32(0.01) * np.arange(VOCABULARY, dtype=np.float32)
        return plain(tokens, every=every)

    moving.forward = forward  # type: ignore[method-assign]
    assert 1e-5 < noise_floor(moving, window, VOCABULARY) < 1e-3  # type: ignore[arg-type]


# -- memory


def test_what_is_read_and_made_at_once() -> None:
    """As many tokens as the limits allow, and at least one."""
    assert [tokens_at_once(size) for size in (512, 65_536, 262_144, 1 << 26)] == [256, 256, 64, 1]
    assert [next(slices(5, size)).stop for size in (512, 262_144, 1 << 26)] == [1024, 2, 1]
    assert [row for part in slices(5, 262_144) for row in range(5)[part]] == [0, 1, 2, 3, 4]


@pytest.mark.thorough
def test_a_vocabulary_of_262144_tokens_takes_bounded_memory() -> None:
    """Two networks: for each its logits and a copy, 128 MiB; and six arrays of probabilities, 4 MiB each.

    Where 256 positions came at once, in float64, it was 2.7 GB.
    """
    size = 262_144
    model = case("grouped heads", dim=8, hidden_dim=8, n_layers=1, n_heads=2, n_kv_heads=1, head_dim=4, vocab_size=size)
    tensors = model.quantized()
    networks = [Transformer(model.architecture, tensors.get, context=160) for _ in range(2)]
    text = made(1, 150, tokens=size)
    tracemalloc.start()
    try:
        (found,), _ = score([scored(networks[0])], text, size, scored(networks[1]))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.tokens == 149
    assert peak < 2 * 128 * 2**20 + 6 * 4 * 2**20 + 2**20
