"""The sampler against a transcription of llama2.c's rules, one number at a time.

It tests `fourcc/models/`; `tests/models/` holds the shipped model and its maker, so these tests are here.
"""

import math
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.compute.softmax import Softmax
from fourcc.errors import NumericError, UsageError
from fourcc.models.sampling import Sampler, next_random
from tests.examples import examples

f32 = np.float32
Floats = np.ndarray[tuple[int], np.dtype[np.float32]]


class Slow:
    """llama2.c's sampler, loop by loop; equal probabilities in the order of their tokens."""

    def __init__(self, temperature: float, topp: float, seed: int) -> None:
        self.temperature, self.topp, self.state = f32(temperature), f32(topp), seed

    def sample(self, logits: Floats) -> int:
        """The next token."""
        if self.temperature == 0:
            return max(range(len(logits)), key=lambda i: (logits[i], -i))
        p = self.softmax([logit / self.temperature for logit in logits])
        coin = self.coin()
        if self.topp <= 0 or self.topp >= 1:
            return self.multinomial(p, coin)
        return self.nucleus(p, coin)

    def softmax(self, x: list[np.float32]) -> list[np.float32]:
        """Sum and quotients in order."""
        largest, total = max(x), f32(0)
        powers = [f32(math.exp(float(value - largest))) for value in x]
        for power in powers:
            total += power
        return [power / total for power in powers]

    def coin(self) -> np.float32:
        """A number in [0, 1) from 24 of the random bits."""
        s = self.state
        s ^= s >> 12
        s ^= (s << 25) % 2**64
        s ^= s >> 27
        self.state = s
        return f32((s * 0x2545F4914F6CDD1D % 2**64 >> 32) >> 8) / f32(16777216.0)

    def multinomial(self, p: list[np.float32], coin: np.float32) -> int:
        """Draws from all tokens."""
        total = f32(0)
        for token, probability in enumerate(p):
            total += probability
            if coin < total:
                return token
        return len(p) - 1

    def nucleus(self, p: list[np.float32], coin: np.float32) -> int:
        """Draws from the likeliest tokens."""
        cutoff = (f32(1) - self.topp) / f32(len(p) - 1)
        kept = sorted((-probability, token) for token, probability in enumerate(p) if probability >= cutoff)
        kept = kept or [min((-probability, token) for token, probability in enumerate(p))]
        total, last = f32(0), len(kept) - 1
        for at, (negative, _) in enumerate(kept):
            total -= negative
            if total > self.topp:
                last = at
                break
        r, cdf = coin * total, f32(0)
        for negative, token in kept[: last + 1]:
            cdf -= negative
            if r < cdf:
                return token
        return kept[last][1]


def drawn(seed: int, size: int, spread: float, steps: int) -> Floats:
    """Logits (size,), in few steps so that some are equal."""
    rng = np.random.default_rng(seed)
    return (np.round(rng.normal(0, 1, size) * steps) / steps * spread).astype(f32)


@pytest.mark.parametrize(
    ("seed", "bits"),
    [(1, [1206177355, 2882512552]), (42, [1456360119, 3359763283]), (1337, [989205090, 818269915])],
)
def test_random_numbers(seed: int, bits: list[int]) -> None:
    """The published first two numbers of three seeds come out."""
    first, one = next_random(seed)
    _, two = next_random(first)
    assert [one, two] == bits


@examples(150)
@given(
    st.integers(0, 2**32),
    st.integers(2, 300),
    st.sampled_from([0.01, 1.0, 5.0, 100.0]),
    st.sampled_from([1, 3, 1000]),
    st.sampled_from([0.0, 0.1, 0.8, 1.0, 2.5]),
    st.sampled_from([0.0, 1e-9, 0.1, 0.5, 0.9, 0.99, 1.0]) | st.floats(0, 1),
)
def test_equals_the_transcription(
    seed: int, size: int, spread: float, steps: int, temperature: float, topp: float
) -> None:
    """Ten tokens in a row, equal logits and flat distributions included."""
    logits = drawn(seed, size, spread, steps)
    before = logits.copy()
    ours, slow = Sampler(size, temperature, topp, seed + 1), Slow(temperature, topp, seed + 1)
    assert [ours.sample(logits) for _ in range(10)] == [slow.sample(logits) for _ in range(10)]
    np.testing.assert_array_equal(logits, before)


@pytest.mark.parametrize("spread", [0.001, 0.5, 3.0])
@pytest.mark.parametrize("topp", [0.9, 0.999])
def test_a_large_vocabulary(topp: float, spread: float) -> None:
    """The probabilities are summed in order, flat or not."""
    logits = drawn(7, 9000, spread, 50)
    ours, slow = Sampler(9000, 1.0, topp, 5), Slow(1.0, topp, 5)
    assert Softmax(9000, 1.0)(logits).tolist() == [float(value) for value in slow.softmax(list(logits))]
    assert [ours.sample(logits) for _ in range(4)] == [slow.sample(logits) for _ in range(4)]


def test_temperature_zero_spends_no_random_number() -> None:
    """The first of two largest logits is taken, whatever the seed."""
    sampler = Sampler(4, 0.0, 0.9, 3)
    assert sampler.sample(np.array([1, 5, 5, 2], f32)) == 1
    assert sampler == Sampler(4, 0.0, 0.9, 3)


def test_a_tiny_temperature_is_as_good_as_none() -> None:
    """The quotients overflow; a temperature below float32's smallest number is 0."""
    logits = np.array([-3, 2, 1], f32)
    assert Sampler(3, 1e-40, 0.9, 3).sample(logits) == 1
    assert Sampler(3, 1e-40, 0.9, 3).sample(-np.abs(logits)) == 2
    assert Sampler(3, 1e-60, 0.9, 3).sample(logits) == 1


@pytest.mark.parametrize(("topp", "tokens"), [(0.49, {0, 1}), (0.5, {0, 1, 2}), (0.51, {0, 1, 2})])
def test_the_nucleus_ends_above_its_share(topp: float, tokens: set[int]) -> None:
    """Four equal tokens; a sum of just the share is not yet enough."""
    sampler = Sampler(4, 1.0, topp, 3)
    assert {sampler.sample(np.zeros(4, f32)) for _ in range(60)} == tokens


def test_one_token() -> None:
    """In a vocabulary of one, the crop divides by zero."""
    assert Sampler(1, 1.0, 0.5, 3).sample(np.zeros(1, f32)) == 0


def test_masked_tokens_are_never_drawn() -> None:
    """Negative infinity has no probability."""
    logits = np.array([-np.inf, 0, -np.inf, 0], f32)
    for topp in (0.9, 1.0):
        sampler = Sampler(4, 1.0, topp, 11)
        assert {sampler.sample(logits) for _ in range(50)} == {1, 3}


def test_flags_are_put_right(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are corrected as in llama2.c; -1 is the largest seed, 0 the time."""
    monkeypatch.setattr(time, "time", lambda: 1234567.8)
    assert Sampler.from_flags(5, -1.0, 1.5, 0) == Sampler(5, 0.0, 0.9, 1234567)
    assert Sampler.from_flags(5, 0.7, -0.1, -1) == Sampler(5, 0.7, 0.9, 2**64 - 1)
    assert Sampler.from_flags(5, 0.7, 0.0, 9) == Sampler(5, 0.7, 0.0, 9)
    assert Sampler.from_flags(5, 0.7, 1.0, 9) == Sampler(5, 0.7, 1.0, 9)
    assert Sampler.from_flags(5, 0.7, math.nan, 9).topp == 0.9


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1.0, 0.9, 1), "a vocabulary cannot be empty: found 0, expected 1 or more"),
        ((5, -1.0, 0.9, 1), "not a temperature: found -1.0, expected 0 or more, and finite"),
        ((5, math.nan, 0.9, 1), "not a temperature: found nan, expected 0 or more, and finite"),
        ((5, 1e39, 0.9, 1), "not a temperature: found 1e+39, expected 0 or more, and finite"),
        ((5, 1.0, math.nan, 1), "not a share of the probability: found nan, expected a number"),
        ((5, 1.0, 0.9, 0), "not a seed: found 0, expected 1 to 2**64 - 1"),
        ((5, 1.0, 0.9, 2**64), f"not a seed: found {2**64}, expected 1 to 2**64 - 1"),
    ],
)
def test_what_is_refused(arguments: tuple[int, float, float, int], message: str) -> None:
    """Each error says what was found."""
    with pytest.raises(UsageError) as caught:
        Sampler(*arguments)
    assert str(caught.value) == message


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(
    ("logits", "found"),
    [([0, math.nan, 1], "nan for token 1"), ([0, 1, math.inf], "inf for token 2"), ([-math.inf] * 3, "-inf for token")],
)
def test_logits_that_are_no_numbers(temperature: float, logits: list[float], found: str) -> None:
    """No token is drawn."""
    with pytest.raises(NumericError, match=f"no token can be drawn from these logits: found {found}"):
        Sampler(3, temperature, 0.9, 1).sample(np.array(logits, f32))


def test_logits_of_another_vocabulary() -> None:
    """Logits of another shape or type are refused."""
    with pytest.raises(UsageError, match=r"found float32 of shape \[2\], expected float32 of shape \[3\]"):
        Sampler(3, 1.0, 0.9, 1).sample(np.zeros(2, f32))
    with pytest.raises(UsageError, match="found float64"):
        Sampler(3, 1.0, 0.9, 1).sample(np.zeros(3))  # type: ignore[arg-type]
