"""Formats that were tried on tensors: how noise and size are weighed, which offer is chosen, and the totals.

A uniform quantizer of b bits per weight reaches an SQNR of 20 log10(2) b = 6.02 b dB on uniformly distributed weights.
The distance of a format from that line compares formats of different size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from math import inf, log10, prod

import attrs

from fourcc.errors import UsageError, listed
from fourcc.metrics import ErrorSums
from fourcc.tags import FourCC

SHOWN = 6  # names in a note
DB_PER_BIT = 20 * log10(2)


@attrs.frozen
class Offer:
    """A format that was tried on a tensor.

    Attributes:
        tag: the format.
        params, options: the ones that it was tried with: its defaults.
        bits: per weight of the whole tensor, scales and short blocks included.
        sums: the error on the sample; None where it could not be tried.
        reason: why it could not, or None.
    """

    tag: FourCC
    params: dict[str, object]
    options: dict[str, object]
    bits: Fraction
    sums: ErrorSums | None
    reason: str | None = None

    @property
    def sqnr_db(self) -> float:
        """10 log10(sum w^2 / sum e^2) in dB; infinite where nothing is lost, -infinite where it could not be tried."""
        return -inf if self.sums is None else self.sums.sqnr_db

    @property
    def gain_db(self) -> float:
        """The distance in dB above 6.02 dB for every bit."""
        return self.sqnr_db - DB_PER_BIT * float(self.bits)


@attrs.frozen
class Suggestion:
    """The formats that fit a tensor, and the one that was chosen.

    Attributes:
        name: the tensor's.
        shape: the tensor's.
        stored: the format that it is stored in, and its bits per weight.
        sampled: number of weights that the formats were tried on.
        offers: the formats, fewest bits first; none for vectors and integers, which stay as they are.
        chosen: the best one; None: the tensor stays as it is stored.
    """

    name: str
    shape: tuple[int, ...]
    stored: tuple[FourCC, Fraction]
    sampled: int
    offers: tuple[Offer, ...]
    chosen: Offer | None

    @property
    def bits(self) -> Fraction:
        """Bits per weight after the choice."""
        return self.stored[1] if self.chosen is None else self.chosen.bits


@attrs.frozen
class Wish:
    """The demand on a format. With neither attribute, it is the one furthest above 6.02 dB for every bit.

    Attributes:
        min_sqnr: the smallest format of at least so many dB.
        max_bits: the best format of at most so many bits per weight; with `min_sqnr`, the smallest of these.
    """

    min_sqnr: float | None = None
    max_bits: float | None = None

    def choose(self, offers: Iterable[Offer]) -> Offer | None:
        """The offer that fulfils the wish, or None; ties go to the first."""
        fitting = [offer for offer in offers if offer.sums is not None]
        if self.max_bits is not None:
            fitting = [offer for offer in fitting if offer.bits <= self.max_bits]
        if self.min_sqnr is not None:
            fitting = [offer for offer in fitting if offer.sqnr_db >= self.min_sqnr]
            return min(fitting, key=lambda offer: (offer.bits, -offer.sqnr_db), default=None)
        if self.max_bits is not None:
            return max(fitting, key=lambda offer: (offer.sqnr_db, -offer.bits), default=None)
        lossy = [offer for offer in fitting if offer.sqnr_db < inf]
        return max(lossy, key=lambda offer: offer.gain_db, default=None)

    def unmet(self, suggestion: Suggestion) -> bool:
        """Whether the wish is not fulfilled for a tensor that was tried: it is too large, or stays as it was."""
        if self.max_bits is not None and suggestion.bits > self.max_bits:
            return True
        stays = suggestion.chosen is None or suggestion.chosen.tag == suggestion.stored[0]
        return self.min_sqnr is not None and stays

    def refuse_unmet(self, suggestions: Sequence[Suggestion]) -> list[str]:
        """A note on the tensors for which no format is good or small enough.

        Raises:
            UsageError: none is good or small enough for any of the tensors that were tried.
        """
        tried = [each for each in suggestions if each.offers]
        unmet = [each.name for each in tried if self.unmet(each)]
        if not unmet:
            return []
        wishes = {"at most {:g} bits per weight": self.max_bits, "at least {:g} dB": self.min_sqnr}
        said = " with ".join(text.format(value) for text, value in wishes.items() if value is not None)
        if len(unmet) == len(tried):
            what = f"no format of {said} fits any of the {len(tried)} tensors"
            raise UsageError(what, hint="`fourcc stats --suggest` shows what each format gives.")
        count = f"{len(unmet)} of {len(tried)} tensors"
        return [f"no format of {said} fits {count}, which stay as they are: {listed(unmet, SHOWN)}"]


@attrs.frozen
class Total:
    """A format over all tensors that it fits.

    Attributes:
        tag: the format.
        tensors: number of tensors that it fits.
        chosen: number of tensors that it was chosen for.
        bits: per weight, over these tensors.
        sqnr_db: over these tensors; the error of a tensor's sample stands for that of the tensor.
    """

    tag: FourCC
    tensors: int
    chosen: int
    bits: Fraction
    sqnr_db: float

    @property
    def gain_db(self) -> float:
        """The distance in dB above 6.02 dB for every bit."""
        return self.sqnr_db - DB_PER_BIT * float(self.bits)


def totals(suggestions: Sequence[Suggestion]) -> list[Total]:
    """The totals of every format that fits one of the tensors."""
    tags = dict.fromkeys(offer.tag for each in suggestions for offer in each.offers if offer.sums is not None)
    return [_total(suggestions, tag) for tag in tags]


def _total(suggestions: Sequence[Suggestion], tag: FourCC) -> Total:
    fitting = [
        (each, offer) for each in suggestions for offer in each.offers if offer.tag == tag and offer.sums is not None
    ]
    chosen = sum(each.chosen is offer for each, offer in fitting)
    bits, sqnr = together(fitting)
    return Total(tag, len(fitting), chosen, bits, sqnr)


def together(chosen: Iterable[tuple[Suggestion, Offer]]) -> tuple[Fraction, float]:
    """Bits per weight and SQNR of tensors in the offered formats, together."""
    bits, signal, noise, weights = Fraction(0), 0.0, 0.0, 0
    for each, offer in chosen:
        count = prod(each.shape)
        weights, bits = weights + count, bits + count * offer.bits
        if offer.sums is not None:
            signal += offer.sums.signal * count / each.sampled
            noise += offer.sums.noise * count / each.sampled
    return bits / max(1, weights), ErrorSums(signal, noise).sqnr_db
