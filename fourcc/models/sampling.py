"""Draws the next token from the logits by the rules of llama2.c, so that a seed gives the same text in both.

::

    temperature 0   the first largest logit; no random number is spent
    else            p = softmax(logits / temperature), and one coin in [0, 1) from xorshift64*
    topp <= 0, >= 1 the first token whose cumulative sum exceeds the coin, else the last
    else            of the tokens with p >= (1 - topp) / (n - 1), the largest first, those up to the first cumulative
                    sum above topp; of them the first whose cumulative sum exceeds coin * (sum of all of them)

All arithmetic is float32 in llama2.c's order. llama2.c leaves two things open: here tokens of equal probability come in
the order of their numbers, and where no token reaches the crop the likeliest is taken.

The exponential is computed in float64 and rounded. It differs from C's ``expf`` in one argument out of ten thousand, by
one unit in the last place (numpy's own float32 exponential differs in one out of ten). So a coin that falls on the very
edge between two tokens can choose the other one; two builds of llama2.c are no nearer to each other.
"""

from __future__ import annotations

import time
from math import inf, isfinite
from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.compute.softmax import Softmax
from fourcc.errors import NumericError, UsageError
from fourcc.models.tokenizers import in_use

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from fourcc.models.tokenizers import Tokenizer

    Floats = NDArray[np.float32]

DEFAULT_TOPP = 0.9
_MULTIPLIER = 0x2545F4914F6CDD1D
_MASK = 2**64 - 1


def next_random(state: int) -> tuple[int, int]:
    """The next state of xorshift64*, and 32 random bits.

    >>> next_random(42)[1]
    1456360119
    """
    state ^= state >> 12
    state ^= (state << 25) & _MASK
    state ^= state >> 27
    return state, ((state * _MULTIPLIER) & _MASK) >> 32


def _check(condition: bool, what: str, found: object, expected: str) -> None:  # noqa: FBT001 - it is the condition
    if not condition:
        raise UsageError(what, found=found, expected=expected)


@attrs.define
class Sampler:
    """Chooses tokens.

    Attributes:
        vocab_size: number of logits, and of tokens.
        temperature: divisor of the logits; 0: the largest logit is always taken.
        topp: the share of the probability that is drawn from.
        seed: seed of the random numbers, from 1 to 2**64 - 1.
        padding: tokens that are never drawn.
    """

    vocab_size: int
    temperature: float
    topp: float
    seed: int
    padding: frozenset[int] = frozenset()
    _state: int = attrs.field(init=False, repr=False)
    _softmax: Softmax = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        _check(self.vocab_size > 0, "a vocabulary cannot be empty", self.vocab_size, "1 or more")
        held = 0 <= self.temperature <= float(np.finfo(np.float32).max)
        _check(held, "not a temperature", self.temperature, "0 or more, and finite")
        _check(isfinite(self.topp), "not a share of the probability", self.topp, "a number")
        _check(0 < self.seed <= _MASK, "not a seed", self.seed, "1 to 2**64 - 1")
        self._state = self.seed
        self._softmax = Softmax(self.vocab_size, self.temperature)

    @classmethod
    def from_flags(cls, vocab_size: int, temperature: float, topp: float, seed: int) -> Sampler:
        """A sampler for a user's flags, corrected as llama2.c corrects them.

        Args:
            vocab_size: number of logits.
            temperature: a value below 0 becomes 0.
            topp: a value outside 0 to 1 becomes 0.9.
            seed: taken modulo 2**64, so that -1 is a large seed; 0 becomes the time.
        """
        temperature = 0.0 if temperature < 0 else temperature
        topp = topp if 0 <= topp <= 1 else DEFAULT_TOPP
        return cls(vocab_size, temperature, topp, seed & _MASK or int(time.time()) & 0xFFFFFFFF)

    @classmethod
    def for_tokens(cls, rows: int, tokenizer: Tokenizer, temperature: float, topp: float, seed: int) -> Sampler:
        """A sampler that draws only tokens of the tokenizer, for a model that may have more rows.

        Args:
            rows: the model's rows, one for each token.
            tokenizer: the model's tokenizer.
            temperature: as `from_flags` takes it.
            topp: as `from_flags` takes it.
            seed: as `from_flags` takes it.
        """
        sampler = cls.from_flags(in_use(tokenizer, rows), temperature, topp, seed)
        sampler.padding = frozenset(token for token in tokenizer.padding if token < sampler.vocab_size)
        return sampler

    def sample(self, logits: Floats) -> int:
        """The next token; the logits (vocab_size,) are not changed.

        Raises:
            NumericError: the logits hold NaN or positive infinity, or only negative infinity.
        """
        if logits.shape != (self.vocab_size,) or logits.dtype != np.float32:
            found = f"{logits.dtype.name} of shape {list(logits.shape)}"
            raise UsageError("not the logits of a token", found=found, expected=f"float32 of shape [{self.vocab_size}]")
        if self.padding:
            logits = logits.copy()
            logits[list(self.padding)] = -inf
        likeliest = int(logits.argmax())  # the first NaN, where there is one
        if not isfinite(logits[likeliest]):
            raise NumericError(
                "no token can be drawn from these logits", found=f"{logits[likeliest]} for token {likeliest}"
            )
        temperature = np.float32(self.temperature)
        if temperature == 0:
            return likeliest
        coin = self._coin()
        with np.errstate(over="ignore"):
            scaled = logits[likeliest] / temperature
        if scaled in (inf, -inf):
            return likeliest  # so small a temperature acts as 0
        return self._draw(self._softmax(logits), coin)

    def skip(self, count: int) -> None:
        """Spends the random numbers of `count` tokens that are not drawn; none at temperature 0."""
        for _ in range(count if self.temperature else 0):
            self._coin()

    def _coin(self) -> np.float32:
        """A number in [0, 1)."""
        self._state, bits = next_random(self._state)
        return np.float32(bits >> 8) / np.float32(1 << 24)

    def _draw(self, p: Floats, coin: np.float32) -> int:
        """The token that a coin draws by the probabilities."""
        topp = np.float32(self.topp)
        if topp <= 0 or topp >= 1 or self.vocab_size == 1:
            above = int(np.add.accumulate(p).searchsorted(coin, side="right"))
            return min(above, self.vocab_size - 1)
        kept = p[p >= (np.float32(1) - topp) / np.float32(self.vocab_size - 1)]
        return _of_nucleus(p, kept, topp, coin) if kept.size else int(p.argmax())


def _of_nucleus(p: Floats, kept: Floats, topp: np.float32, coin: np.float32) -> int:
    """The token that the coin draws among the likeliest, which together have `topp` of the probability.

    Only probabilities are sorted, which is several times as fast as sorting tokens by them. The drawn token is one of
    those with the drawn probability; the number of likelier tokens tells which.
    """
    ordered = np.sort(kept)[::-1]
    sums = np.add.accumulate(ordered)
    last = min(int(sums.searchsorted(topp, side="right")), len(sums) - 1)
    rank = min(int(sums.searchsorted(coin * sums[last], side="right")), last)
    likelier = int(np.count_nonzero(ordered > ordered[rank]))
    return int(np.flatnonzero(p == ordered[rank])[rank - likelier])
