"""Encoding samples of a model's tensors in every format, and adding up size and error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from functools import partial
from math import inf, lcm, prod

import attrs
import numpy as np

from fourcc.analysis.samples import sampled_rows
from fourcc.arrays import Array
from fourcc.bench.shootout.results import Entrant
from fourcc.calibration.asked_options import spelled_option
from fourcc.encoding import encode
from fourcc.errors import FourccError
from fourcc.format import Aids
from fourcc.metrics import ErrorSums
from fourcc.policy.asked_formats import TargetFormat
from fourcc.progress import Count
from fourcc.sources.source import SourceTensor
from fourcc.threads import Task, in_order

BUDGET = 1 << 26  # weights that formats hold while they encode at the same time


@attrs.frozen
class SampleSums:
    """A format on a tensor's sample, so far.

    Attributes:
        nbytes: that the sample takes.
        plain: sums of w^2 and e^2.
        weighed: sums of h w^2 and h e^2; None where the importance h is not known.
        reason: why there are none; None where there are.
    """

    nbytes: int = 0
    plain: ErrorSums = attrs.field(factory=ErrorSums)
    weighed: ErrorSums | None = None
    reason: str | None = None

    def __add__(self, other: SampleSums) -> SampleSums:
        if self.reason is not None or other.reason is not None:
            return SampleSums(reason=self.reason or other.reason)
        weighed = None if other.weighed is None else (self.weighed or ErrorSums()) + other.weighed
        return SampleSums(self.nbytes + other.nbytes, self.plain + other.plain, weighed)


@attrs.frozen
class TensorTrial:
    """All formats on one tensor.

    Attributes:
        tensor: the tensor.
        sampled: number of weights that were encoded.
        sums: one for each format; None where the shape does not fit.
        misfits: why it does not, or None.
    """

    tensor: SourceTensor
    sampled: int
    sums: tuple[SampleSums | None, ...]
    misfits: tuple[str | None, ...]


def trials(
    tensors: Sequence[SourceTensor],
    formats: Sequence[TargetFormat],
    aids: Mapping[str, Aids],
    *,
    sample: int,
    threads: int,
    count: Count,
) -> list[TensorTrial]:
    """Tries every format on a sample of every tensor.

    Args:
        tensors: matrices of real numbers that are not empty.
        formats: have encoders, and what they need is among the aids.
        aids: calibration data by the tensors' names; a tensor may lack them.
        sample: number of weights of a tensor, in whole rows spread evenly over it; 0: all.
        threads: number of threads; the sums do not depend on it.
        count: called after every tensor.

    Raises:
        PluginError: the format of a tensor is missing or broken.
        InputError: bytes are damaged.
    """
    found = []
    for tensor in tensors:
        found.append(_trial(tensor, formats, aids.get(tensor.name, Aids()), sample, threads))
        count(tensor.name, 1)
    return found


def _trial(tensor: SourceTensor, formats: Sequence[TargetFormat], aids: Aids, sample: int, threads: int) -> TensorTrial:
    misfits = tuple(each.format.misfit(tensor.shape, each.params) for each in formats)
    fitting = [each for each, misfit in zip(formats, misfits, strict=True) if misfit is None]
    step = lcm(*(each.format.block[0] or 1 for each in fitting))
    sums, sampled = [SampleSums() for _ in fitting], 0
    for matrix, rows in sampled_rows(tensor, step, sample) if fitting else ():
        sampled += rows.size
        known = aids.of_matrix(matrix)
        tasks = [
            Task(partial(_tried, rows, each, known, tensor.name, so_far), rows.size)
            for each, so_far in zip(fitting, sums, strict=True)
        ]
        sums = list(in_order(tasks, threads, BUDGET))
    rest = iter(sums)
    return TensorTrial(tensor, sampled, tuple(next(rest) if each is None else None for each in misfits), misfits)


def _tried(rows: Array, target: TargetFormat, aids: Aids, name: str, so_far: SampleSums) -> SampleSums:
    """The sums with those of more rows (rows, cols) of one matrix added."""
    if so_far.reason is not None:
        return so_far
    try:
        encoded = encode(rows, target.format.tag, target.params, target.options, name=name, aids=aids)
        decoded = encoded.decode()
    except FourccError as error:
        return SampleSums(reason=f"{name}: {error.what}")
    weighed = None
    if aids.importance is not None:
        root = np.sqrt(aids.importance.astype(np.float64))  # (cols,)
        weighed = ErrorSums.of(rows * root, decoded * root)
    return so_far + SampleSums(encoded.nbytes, ErrorSums.of(rows, decoded), weighed)


def totalled(target: TargetFormat, owner: str, index: int, tried: Sequence[TensorTrial]) -> Entrant:
    """A format over all tensors that it fits.

    Args:
        target: the format.
        owner: distribution and version that it comes from.
        index: its place among the formats of the trials.
        tried: the trials.
    """
    fitting = [(trial, sums) for trial in tried if (sums := trial.sums[index]) is not None]
    failed = next((sums.reason for _, sums in fitting if sums.reason is not None), None)
    if failed is not None or not fitting:
        reason = failed or next((trial.misfits[index] for trial in tried), None)
        return Entrant(spelled_option(target), owner, reason=reason)
    weights = sum(prod(trial.tensor.shape) for trial, _ in fitting)
    plain = [_scaled(sums.plain, trial) for trial, sums in fitting]
    total = ErrorSums(sum(each.signal for each in plain), sum(each.noise for each in plain))
    return Entrant(
        spelled_option(target),
        owner,
        fits=len(fitting),
        bits=sum((_bits(target, trial, sums) for trial, sums in fitting), Fraction(0)) / weights,
        sqnr_db=total.sqnr_db,
        relative_rmse=total.relative_rmse,
        output_error=_output_error(fitting),
    )


def _scaled(sums: ErrorSums, trial: TensorTrial) -> ErrorSums:
    """The sums of a sample, as those of the whole tensor would be."""
    factor = prod(trial.tensor.shape) / trial.sampled
    return ErrorSums(sums.signal * factor, sums.noise * factor)


def _bits(target: TargetFormat, trial: TensorTrial, sums: SampleSums) -> Fraction:
    """Bits of the whole tensor; where only encoding tells the length of a part, by those that the sample took."""
    if target.format.variable:
        return Fraction(8 * sums.nbytes * prod(trial.tensor.shape), trial.sampled)
    return Fraction(8 * target.format.stored_bytes(trial.tensor.shape, target.params))


def _output_error(fitting: Sequence[tuple[TensorTrial, SampleSums]]) -> float | None:
    """The tensors' sum h e^2 / sum h w^2, averaged by number of weights; None where none is known."""
    known = [(prod(trial.tensor.shape), sums.weighed) for trial, sums in fitting if sums.weighed is not None]
    weights = sum(count for count, _ in known)
    return sum(count * _relative(sums) for count, sums in known) / weights if known else None


def _relative(sums: ErrorSums) -> float:
    return sums.noise / sums.signal if sums.signal else inf if sums.noise else 0.0
