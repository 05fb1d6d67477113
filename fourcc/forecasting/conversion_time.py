"""How long a conversion or an export takes: its tensors' work at known rates, on some threads."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from math import prod
from typing import TYPE_CHECKING

import attrs

from fourcc.compute import coding
from fourcc.conversion.plan import Plan
from fourcc.files.backing import backing_of
from fourcc.forecasting.figure import Figure
from fourcc.forecasting.file_reading import file_reading
from fourcc.matrix_encoder import encoding_work
from fourcc.plugins.registry import registry
from fourcc.tags import FourCC

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from fourcc.conversion.pipeline import Step
    from fourcc.exporters.export import ExportPlan
    from fourcc.forecasting.known_rates import KnownRates

START = Figure(0.4, 0.7, 1.5, "table")  # seconds in which a process starts, loads what it needs, and ends
TENSOR = Figure(0.0003, 0.0006, 0.002, "table")  # seconds a tensor, however small
WRITE = Figure(3e-10, 6e-10, 4e-9, "table")  # seconds a byte that is written, with checksums and flushing to the disk
HASH = Figure(1e-10, 1.5e-10, 3e-10, "table")  # seconds a byte of a source's digest, from the system's cache
COMPILE = Figure(0.5, 2, 8, "table")  # seconds of the kernels of a format that are not on the disk yet
COPY = Figure(1e-10, 3e-10, 6e-10, "table")  # seconds of a thread for a byte that is copied


@attrs.frozen
class TimeForecast:
    """How long a conversion takes.

    Attributes:
        seconds: from its start to its end, without that of `unknown`.
        threads: that encode at once.
        unknown: kinds of work of which nothing was measured, so that the time is longer than that.
    """

    seconds: Figure
    threads: int
    unknown: tuple[str, ...]


def conversion_time(planned: Plan | ExportPlan, rates: KnownRates) -> TimeForecast:
    """The time that a plan takes on `rates.threads` threads."""
    work = Counter[str]()
    for step in planned.steps:
        for kind, weights in _work(step):
            work[kind] += weights
    costs = {kind: _cost(kind, rates) for kind in work}
    busy = Figure.exact(0)
    for kind, cost in costs.items():
        busy += Figure.exact(0) if cost is None else cost * work[kind]
    coded = (busy * (1 / rates.threads)).at_least(_reading(planned))
    fixed = (
        START + _compiling(planned.steps) + TENSOR * len(planned.steps) + WRITE * planned.file_bytes + _digest(planned)
    )
    unknown = tuple(kind for kind, cost in costs.items() if cost is None)
    if any(map(backing_of, planned.source.files)):
        unknown = (*unknown, "download")
    return TimeForecast(coded + fixed, rates.threads, unknown)


def _work(step: Step) -> Iterator[tuple[str, int]]:
    """The kinds of work on a tensor, with the units of each."""
    decision, weights = step.decision, prod(step.source.shape)
    if step.copied:
        yield "copy", decision.nbytes
        return
    if not decision.keep or step.source.format.real:  # real weights that are kept are searched for NaN
        yield f"decode {step.source.tag}", weights
    if decision.keep:
        yield "copy", decision.nbytes
    else:
        fmt = registry[decision.tag]
        yield encoding_work(fmt, decision.options, step.aids, fed=step.feedback is not None), weights


def _cost(kind: str, rates: KnownRates) -> Figure | None:
    """Seconds of a thread for a unit of work; options that were never measured count as the usual ones."""
    if kind == "copy":
        return COPY
    known = rates.cost(kind)
    words = kind.split()
    if known is None and "=" in words[-1]:
        known = rates.cost(" ".join(word for word in words if "=" not in word))
        return None if known is None else attrs.evolve(known, low=known.low / 2, high=3 * known.high, basis="table")
    return known


def _compiling(steps: Sequence[Step]) -> Figure:
    """The time of kernels that are compiled first; it counts for every format and options that large work needs."""
    weights: Counter[FourCC] = Counter()
    for step in steps:
        weights[step.decision.tag] += 0 if step.decision.keep else prod(step.source.shape)
    wanted = {(step.decision.tag, str(step.decision.options)): step for step in steps if not step.decision.keep}
    large = [step for step in wanted.values() if weights[step.decision.tag] >= coding.WORTH_COMPILING]
    cold = [step for step in large if not _compiled(step)]
    return COMPILE * len(cold)


def _compiled(step: Step) -> bool:
    return coding.ready(registry[step.decision.tag], step.decision.params, step.decision.options)


def _reading(planned: Plan | ExportPlan) -> Figure:
    """The time that the source's files take to be read, in which coding goes on."""
    rate, size = file_reading(planned.source.files), _source_bytes(planned.source.files)
    return Figure.exact(0) if rate is None else Figure.exact(size).per(rate)


def _digest(planned: Plan | ExportPlan) -> Figure:
    """The time of a conversion's digests of the source's files, which are read once more; an export makes none."""
    if not isinstance(planned, Plan):
        return Figure.exact(0)
    return (HASH * _source_bytes(planned.source.files)).at_least(_reading(planned))


def _source_bytes(files: Sequence[Path]) -> int:
    """Bytes of the files that are there."""
    total = 0
    for path in files:
        with suppress(OSError):
            total += path.stat().st_size
    return total
