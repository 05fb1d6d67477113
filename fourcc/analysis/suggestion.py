"""Suggesting a format for a tensor: every format is tried on a sample of the tensor's rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from fractions import Fraction
from math import lcm, prod

import attrs

from fourcc.analysis.offers import Offer, Suggestion, Wish
from fourcc.analysis.samples import SAMPLE, sampled_rows
from fourcc.arrays import Array
from fourcc.encoding import encode
from fourcc.errors import FourccError
from fourcc.format import Format
from fourcc.metrics import ErrorSums
from fourcc.plugins.registry import registry
from fourcc.policy import Policy, Row, explicit
from fourcc.progress import OnProgress, counter
from fourcc.settings import complete
from fourcc.sources.source import Source, SourceTensor
from fourcc.spec import FormatSpec


def suggest(
    tensors: Sequence[SourceTensor], wish: Wish, sample: int = SAMPLE, progress: OnProgress | None = None
) -> list[Suggestion]:
    """Tries every real format that has an encoder and needs no calibration data on every matrix.

    Args:
        tensors: of an opened source.
        wish: how to choose.
        sample: number of weights to try them on, in whole rows spread evenly over the tensor; 0: all.
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
    """The formats that can be tried; broken ones are skipped."""
    for fmt, _ in registry.working():
        if fmt.encode is not None and fmt.real and not fmt.needs:
            yield fmt


def policy(source: Source, suggestions: Iterable[Suggestion]) -> Policy:
    """The policy that carries suggestions out; tensors without one stay as they are stored."""
    chosen = {each.name: each.chosen for each in suggestions if each.chosen is not None}
    rows = []
    for tensor in source.tensors:
        offer = chosen.get(tensor.name)
        if offer is None:
            rows.append(Row(tensor.name, tensor.tag, tensor.params, {}, keep=True))
        else:
            rows.append(Row(tensor.name, offer.tag, offer.params, offer.options))
    return explicit(rows)


def _suggestion(tensor: SourceTensor, formats: list[Format], wish: Wish, sample: int) -> Suggestion:
    weights = prod(tensor.shape)
    bits = Fraction(8 * tensor.nbytes, max(1, weights))
    base = Suggestion(tensor.name, tensor.shape, (tensor.tag, bits), 0, (), None)
    if len(tensor.shape) < 2 or not weights or not tensor.format.real:
        return base
    smaller = [fmt for fmt in formats if _bits(fmt, tensor.shape) <= bits]
    step = lcm(*(fmt.block[0] or 1 for fmt in smaller))
    sums: list[ErrorSums | str] = [ErrorSums() for _ in smaller]
    sampled = 0
    for _, rows in sampled_rows(tensor, step, sample):
        sampled += rows.size
        sums = [_tried(rows, fmt, so_far, tensor) for fmt, so_far in zip(smaller, sums, strict=True)]
    offers = sorted(map(_offer, smaller, [tensor.shape] * len(smaller), sums), key=lambda offer: offer.bits)
    return attrs.evolve(base, sampled=sampled, offers=tuple(offers), chosen=wish.choose(offers))


def _tried(rows: Array, fmt: Format, so_far: ErrorSums | str, tensor: SourceTensor) -> ErrorSums | str:
    """The error sums with those of more rows added, or why there are none."""
    reason = fmt.misfit(tensor.shape, complete(fmt.params, {}))
    if isinstance(so_far, str) or reason is not None:
        return so_far if isinstance(so_far, str) else reason or ""
    try:
        return so_far + ErrorSums.of(rows, encode(rows, fmt.tag, name=tensor.name).decode())
    except FourccError as error:
        return error.what


def _offer(fmt: Format, shape: tuple[int, ...], sums: ErrorSums | str) -> Offer:
    spec = fmt
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
