"""Which format fits a tensor: each is tried on a sample of its rows, and judged by noise and by size.

A format of b bits per weight that were as good as a uniform quantizer of uniformly distributed weights would reach an
SQNR of 20 log10(2) b = 6.02 b dB. How far a format is above or below that line compares formats of different size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from math import inf, lcm, log10, prod

import attrs
import numpy as np

from fourcc.encoding import encode
from fourcc.errors import FourccError, PluginError, UsageError, listed
from fourcc.format import Array, Format
from fourcc.metrics import ErrorSums
from fourcc.policy import Policy, Row, explicit
from fourcc.progress import OnProgress, counter
from fourcc.registry import registry
from fourcc.sources.source import Source, SourceTensor
from fourcc.spec import FormatSpec, complete, split_shape
from fourcc.tags import FourCC
from fourcc.tiles import decoded_rows

SHOWN = 6  # names in a note
DB_PER_BIT = 20 * log10(2)
SAMPLE = 1 << 18  # weights of a tensor that formats are tried on, and of what is encoded at once


@attrs.frozen
class Offer:
    """A format, tried on a tensor.

    Attributes:
        tag: the format.
        params, options: by which it was tried: its defaults.
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
        """How far it is above 6.02 dB for each bit."""
        return self.sqnr_db - DB_PER_BIT * float(self.bits)


@attrs.frozen
class Suggestion:
    """What fits a tensor.

    Attributes:
        name: the tensor's.
        shape: the tensor's.
        stored: the format that it is in, and its bits per weight.
        sampled: weights that the formats were tried on.
        offers: the formats, the fewest bits first; none for vectors and integers, which stay as they are.
        chosen: the one that fits best; None: keep the tensor as it is stored.
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
    """What a format should do.

    Attributes:
        min_sqnr: the cheapest format of at least so many dB is wanted.
        max_bits: the best format of at most so many bits per weight is wanted; with `min_sqnr`, the cheapest of these.
            With neither, the one that is furthest above 6.02 dB for each bit.
    """

    min_sqnr: float | None = None
    max_bits: float | None = None

    def choose(self, offers: Iterable[Offer]) -> Offer | None:
        """The offer that does it, or None; of equals the first."""
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
        """Whether a tensor that formats were tried on is not what is wished for: too large, or as large as it was."""
        if self.max_bits is not None and suggestion.bits > self.max_bits:
            return True
        stays = suggestion.chosen is None or suggestion.chosen.tag == suggestion.stored[0]
        return self.min_sqnr is not None and stays

    def refuse_unmet(self, suggestions: Sequence[Suggestion]) -> list[str]:
        """A note on the tensors that no format is good or small enough for.

        Raises:
            UsageError: it is good or small enough for none of the tensors that were tried.
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


def suggest(
    tensors: Sequence[SourceTensor], wish: Wish, sample: int = SAMPLE, progress: OnProgress | None = None
) -> list[Suggestion]:
    """Tries every real format that has an encoder and needs no calibration data on each matrix.

    Args:
        tensors: of an opened source.
        wish: how to choose.
        sample: weights to try them on, in whole rows spread evenly over the tensor; 0: all.
        progress: called after every tensor.

    Raises:
        PluginError: the format of a tensor is missing or broken.
        InputError: bytes are damaged.
    """
    formats, suggestions = list(candidates()), []
    count = counter(len(tensors), progress)
    for tensor in tensors:
        suggestions.append(_suggestion(tensor, formats, wish, sample))
        count(tensor.name, 1)
    return suggestions


def candidates() -> Iterator[Format]:
    """The formats that can be tried; broken ones are left out."""
    for tag in registry:
        try:
            found = registry[tag]
        except PluginError:
            continue
        if found.encode is not None and found.spec.real and not found.spec.needs:
            yield found


def policy(source: Source, suggestions: Iterable[Suggestion]) -> Policy:
    """The policy that carries suggestions out; tensors that have none are kept as they are stored."""
    chosen = {each.name: each.chosen for each in suggestions if each.chosen is not None}
    rows = []
    for tensor in source.tensors:
        offer = chosen.get(tensor.name)
        if offer is None:
            rows.append(Row(tensor.name, tensor.tag, tensor.params, {}, keep=True))
        else:
            rows.append(Row(tensor.name, offer.tag, offer.params, offer.options))
    return explicit(rows)


@attrs.frozen
class Total:
    """A format over all tensors that it fits.

    Attributes:
        tag: the format.
        tensors: how many it fits.
        chosen: how many it was chosen for.
        bits: per weight.
        sqnr_db: of them together; the error of a tensor's sample stands for that of the tensor.
    """

    tag: FourCC
    tensors: int
    chosen: int
    bits: Fraction
    sqnr_db: float

    @property
    def gain_db(self) -> float:
        """How far it is above 6.02 dB for each bit."""
        return self.sqnr_db - DB_PER_BIT * float(self.bits)


def totals(suggestions: Sequence[Suggestion]) -> list[Total]:
    """Every format that fits a tensor, over all of these."""
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
    """Bits per weight and SQNR of tensors in the formats that were offered."""
    bits, signal, noise, weights = Fraction(0), 0.0, 0.0, 0
    for each, offer in chosen:
        count = prod(each.shape)
        weights, bits = weights + count, bits + count * offer.bits
        if offer.sums is not None:
            signal += offer.sums.signal * count / each.sampled
            noise += offer.sums.noise * count / each.sampled
    return bits / max(1, weights), ErrorSums(signal, noise).sqnr_db


def _suggestion(tensor: SourceTensor, formats: list[Format], wish: Wish, sample: int) -> Suggestion:
    weights = prod(tensor.shape)
    bits = Fraction(8 * tensor.nbytes, max(1, weights))
    base = Suggestion(tensor.name, tensor.shape, (tensor.tag, bits), 0, (), None)
    if len(tensor.shape) < 2 or not weights or not tensor.format.spec.real:
        return base
    smaller = [each for each in formats if _bits(each.spec, tensor.shape) <= bits]
    step = lcm(*(each.spec.block[0] or 1 for each in smaller))
    sums: list[ErrorSums | str] = [ErrorSums() for _ in smaller]
    sampled = 0
    for rows in _samples(tensor, step, sample):
        sampled += rows.size
        sums = [_tried(rows, each, so_far, tensor) for each, so_far in zip(smaller, sums, strict=True)]
    offers = sorted(map(_offer, smaller, [tensor.shape] * len(smaller), sums), key=lambda offer: offer.bits)
    return attrs.evolve(base, sampled=sampled, offers=tuple(offers), chosen=wish.choose(offers))


def _tried(rows: Array, found: Format, so_far: ErrorSums | str, tensor: SourceTensor) -> ErrorSums | str:
    """The sums with those of more rows, or why there are none."""
    reason = found.spec.misfit(tensor.shape, complete(found.spec.params, {}))
    if isinstance(so_far, str) or reason is not None:
        return so_far if isinstance(so_far, str) else reason or ""
    try:
        return so_far + ErrorSums.of(rows, encode(rows, found.spec.tag, name=tensor.name).decode())
    except FourccError as error:
        return error.what


def _offer(found: Format, shape: tuple[int, ...], sums: ErrorSums | str) -> Offer:
    spec = found.spec
    params, options = complete(spec.params, {}), complete(spec.options, {})
    tried = isinstance(sums, ErrorSums)
    return Offer(
        spec.tag,
        params,
        options,
        _bits(spec, shape),
        sums if isinstance(sums, ErrorSums) else None,
        None if tried else str(sums),
    )


def _bits(spec: FormatSpec, shape: tuple[int, ...]) -> Fraction:
    return Fraction(8 * spec.stored_bytes(shape, complete(spec.params, {})), prod(shape))


def _samples(tensor: SourceTensor, step: int, sample: int) -> Iterator[Array]:
    """Rows of a tensor, (rows, cols), about `SAMPLE` weights at once: runs of whole blocks, evenly spread."""
    lead, rows, cols = split_shape(tensor.shape)
    starts = [(matrix, first) for matrix in range(prod(lead)) for first in range(0, rows, step)]
    wanted = len(starts) if sample <= 0 else min(len(starts), max(1, sample // (step * cols)))
    spread = [starts[number * (len(starts) - 1) // max(1, wanted - 1)] for number in range(wanted)]
    at_once = max(1, SAMPLE // (step * cols))
    found = tensor.format
    for first in range(0, wanted, at_once):
        some = spread[first : first + at_once]
        yield np.concatenate([decoded_rows(tensor, found, m, row, min(rows, row + step)) for m, row in some])
