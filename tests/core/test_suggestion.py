"""Suggestions: errors as a conversion would make them, the choice by its rule, and a policy that carries it out."""

from collections.abc import Callable
from fractions import Fraction
from math import inf, log10
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import fourcc
from fourcc.analysis.offers import Offer, Suggestion, Wish, together, totals
from fourcc.analysis.suggestion import candidates, policy, suggest
from fourcc.analysis.survey import Selection
from fourcc.metrics import ErrorSums
from fourcc.plugins.registry import registry
from fourcc.sources import open_source
from fourcc.sources.source import Source, SourceTensor
from fourcc.tags import as_tag
from tests.cli.making import write_safetensors


@pytest.fixture
def source(root: Path) -> Source:
    """The model of the repository."""
    return open_source(root / "fourcc" / "example" / "tiny.bin")


@pytest.fixture
def tensor(tmp_path: Path) -> Callable[..., SourceTensor]:
    """A tensor of a checkpoint."""

    def make(values: NDArray[np.float32] | NDArray[np.int64]) -> SourceTensor:
        return open_source(write_safetensors(tmp_path / "x.safetensors", {"w": values})).tensors[0]

    return make


def offer(tag: str, bits: float, sqnr: float | None) -> Offer:
    """An offer of so many bits and dB; infinite: without loss."""
    noise = None if sqnr is None else 0.0 if sqnr == inf else 10 ** (-sqnr / 10)
    return Offer(as_tag(tag), {}, {}, Fraction(bits), None if noise is None else ErrorSums(1.0, noise))


OFFERS = [
    offer("Aa", 4, 20),
    offer("Bb", 5, 19),
    offer("Cc", 8, 46),
    offer("Dd", 8, 44),
    offer("Ee", 16, 70),
    offer("Ff", 32, inf),
    offer("Gg", 3, None),
]


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (Wish(), "Cc"),  # 46 - 48.2 is more than 20 - 24.1
        (Wish(min_sqnr=20), "Aa"),
        (Wish(min_sqnr=20.5), "Cc"),
        (Wish(min_sqnr=45), "Cc"),
        (Wish(min_sqnr=80), "Ff"),
        (Wish(max_bits=5), "Aa"),
        (Wish(max_bits=8), "Cc"),
        (Wish(max_bits=100), "Ff"),
        (Wish(max_bits=3), None),
        (Wish(min_sqnr=30, max_bits=16), "Cc"),
        (Wish(min_sqnr=60, max_bits=8), None),
    ],
)
def test_a_wish_chooses(wish: Wish, expected: str | None) -> None:
    """A format that could not be tried is never chosen; without a wish, nor is one that loses nothing."""
    found = wish.choose(OFFERS)
    assert (None if found is None else str(found.tag)) == expected


def test_the_line_is_that_of_a_uniform_quantizer() -> None:
    """One more bit halves the step: 20 log10(2) dB."""
    assert offer("Aa", 4, 20).gain_db == pytest.approx(20 - 4 * 20 * log10(2))
    assert offer("Aa", 4, None).gain_db == -inf


def test_errors_are_those_of_a_conversion(source: Source, tmp_path: Path) -> None:
    """If all weights are tried, the index of a converted file has the same errors."""
    found = suggest(Selection(include=("*.0.attention.w[qo]",)).of(source), Wish(), 0)
    for tag in ("Q4_0", "Q8_A", "Q4_A"):
        path = tmp_path / f"{tag}.bin"
        fourcc.convert(source.path, path, policy=fourcc.Policy.shorthand(tag), include=["*.0.attention.w[qo]"])
        with fourcc.open(path) as model:
            for each in found:
                tried = next(offer for offer in each.offers if str(offer.tag) == tag)
                record = model.record(each.name)
                assert record.error is not None
                assert tried.sqnr_db == pytest.approx(record.error.sqnr_db, abs=1e-3)
                assert float(tried.bits) == record.bits_per_weight


def test_a_sample_is_near_the_whole(tensor: Callable[..., SourceTensor]) -> None:
    """Rows from everywhere, in runs of whole blocks; it says how many it took."""
    values = np.random.default_rng(5).standard_normal((1024, 96)) * np.linspace(0.1, 3, 1024)[:, None]
    one = tensor(values.astype(np.float32))
    (part,), (whole,) = suggest([one], Wish(), 400 * 96), suggest([one], Wish(), 0)
    assert (part.sampled, whole.sampled) == (384 * 96, 1024 * 96)
    for some, all_of_it in zip(part.offers, whole.offers, strict=True):
        one_scale = any(stored.rows is None for stored in registry[some.tag].parts)  # set by the largest weight
        assert some.sqnr_db == pytest.approx(all_of_it.sqnr_db, abs=1 if one_scale else 0.3)
    assert suggest([one], Wish(), 1)[0].sampled == 128 * 96  # one run at least


def test_experts_are_sampled_like_rows(tensor: Callable[..., SourceTensor]) -> None:
    """The first and the last among them."""
    values = np.zeros((3, 128, 32), np.float32)
    values[0], values[2] = 1, 2
    assert suggest([tensor(values)], Wish(), 2 * 128 * 32)[0].sampled == 2 * 128 * 32


def test_what_does_not_fit_says_why(source: Source) -> None:
    """Rows of 176 in blocks of 32; formats larger than what is stored are not asked."""
    (found,) = suggest(Selection(include=("layers.0.feed_forward.w2",)).of(source), Wish())
    reasons = {str(each.tag): each.reason for each in found.offers}
    assert reasons["Q4_0"] == "rows of 176 are not a multiple of 32"
    assert reasons["Q8_A"] is None
    assert "F64" not in reasons
    assert [each.bits for each in found.offers] == sorted(each.bits for each in found.offers)


def test_weights_that_cannot_be_encoded_say_why(tensor: Callable[..., SourceTensor]) -> None:
    """NaN, for one; then nothing is suggested."""
    values = np.ones((4, 256), np.float32)
    values[1, 1] = np.nan
    (found,) = suggest([tensor(values)], Wish())
    assert all("1 of 1024 weights are not finite" in str(each.reason) for each in found.offers)
    assert found.chosen is None


def test_vectors_and_integers_are_kept(tensor: Callable[..., SourceTensor]) -> None:
    """There is nothing to try."""
    assert suggest([tensor(np.ones(64, np.float32))], Wish())[0].offers == ()
    assert suggest([tensor(np.ones((4, 64), np.int64))], Wish())[0].offers == ()


def test_a_policy_carries_it_out(source: Source, tmp_path: Path) -> None:
    """Tensor by tensor; what has no suggestion stays as it is stored."""
    tensors = Selection(exclude=("layers.2.*",)).of(source)
    found = suggest(tensors, Wish(min_sqnr=30))
    written = policy(source, found)
    assert fourcc.Policy.parse(written.text).rules == written.rules
    fourcc.convert(source.path, tmp_path / "m.bin", policy=written)
    chosen = {each.name: each.chosen for each in found}
    with fourcc.open(tmp_path / "m.bin") as model:
        for tensor in source.tensors:
            wanted = chosen.get(tensor.name)
            assert model.record(tensor.name).tag == (tensor.tag if wanted is None else wanted.tag)
            if wanted is not None:
                assert model[tensor.name].bits_per_weight == wanted.bits
                assert wanted.sqnr_db >= 30


def test_totals_weigh_tensors_by_their_size() -> None:
    """And what a sample stands for; a format that fits only some is told with how many."""
    small = Suggestion("a", (2, 10), (as_tag("F32"), Fraction(32)), 20, (OFFERS[0], OFFERS[2]), OFFERS[2])
    large = Suggestion("b", (8, 10), (as_tag("F32"), Fraction(32)), 40, (OFFERS[0], OFFERS[6]), None)
    found = {str(each.tag): each for each in totals([small, large])}
    assert (found["Aa"].tensors, found["Aa"].chosen, found["Aa"].bits) == (2, 0, 4)
    assert found["Aa"].sqnr_db == pytest.approx(20)
    assert (found["Cc"].tensors, found["Cc"].chosen) == (1, 1)
    assert set(found) == {"Aa", "Cc"}
    bits, sqnr = together([(small, OFFERS[2]), (large, OFFERS[0])])
    assert bits == Fraction(20 * 8 + 80 * 4, 100)
    assert sqnr == pytest.approx(10 * log10((1 + 2) / (10**-4.6 + 2 * 10**-2)))


def test_candidates_need_nothing_and_hold_real_numbers() -> None:
    """Formats that only decode, or hold integers, are not among them."""
    found = {str(each.tag) for each in candidates()}
    assert found >= {"Q4_0", "Q8_A", "F16"}
    assert not found & {"F8E4", "I8", "BOOL"}
    assert all(not registry[as_tag(tag)].needs for tag in found)
