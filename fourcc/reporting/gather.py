"""Gathers what is known of a model into a report: from its file, its policy, its weights, costs and a calibration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from fourcc.analysis.diff import file_changes
from fourcc.calibration.costs_reading import read_costs
from fourcc.calibration.reading import open_calibration
from fourcc.errors import FourccError, InputError, PluginError, shown
from fourcc.progress import OnProgress, counter
from fourcc.reporting.calibration_facts import calibration_facts, inputs
from fourcc.reporting.cost_facts import cost_facts, frontier_report
from fourcc.reporting.document import ComparedReport, ModelReport, TensorReport
from fourcc.reporting.file_facts import FileFacts, file_facts
from fourcc.reporting.rules import rule_reports
from fourcc.reporting.tensor_facts import beside, tensor_report
from fourcc.reporting.weights import SAMPLE, picture
from fourcc.sources import open_source
from fourcc.sources.elsewhere import DOWNLOAD, RANGES
from fourcc.sources.source import Source, SourceTensor

if TYPE_CHECKING:
    from fourcc.calibration.calibration import Calibration
    from fourcc.calibration.costs import Costs

MOST_TROUBLES = 20  # that are listed one by one


@attrs.frozen
class ReportRequest:
    """The files that a report is made of, and how much of them is read.

    Attributes:
        path: the model.
        against: a model to compare with, whose weights count as the original.
        costs: a file of costs.
        calibration: a calibration.
        sample: weights of a tensor to look at; 0: all; None: no weight is read, and no checksum compared.
    """

    path: Path
    against: Path | None = None
    costs: Path | None = None
    calibration: Path | None = None
    sample: int | None = SAMPLE

    @property
    def files(self) -> tuple[Path, ...]:
        """All that are given; none of them may be the output."""
        return tuple(path for path in (self.path, self.against, self.costs, self.calibration) if path is not None)


def gather(wanted: ReportRequest, progress: OnProgress | None = None) -> ModelReport:
    """Opens the files and reads what the report shows.

    A tensor that cannot be read, because it is damaged or its format is missing, is said in the report.

    Args:
        wanted: the files.
        progress: called after every tensor.

    Raises:
        FourccError: a file is no model, no file of costs, no calibration, or one of another model.
        OSError: a file cannot be read.
    """
    costs = None if wanted.costs is None else read_costs(wanted.costs)
    calibration = None if wanted.calibration is None else open_calibration(wanted.calibration)
    with ExitStack() as stack:
        transfer = RANGES if wanted.sample is None else DOWNLOAD
        source = stack.enter_context(open_source(wanted.path, None, transfer))
        against = None if wanted.against is None else stack.enter_context(open_source(wanted.against, None, transfer))
        facts = file_facts(source, check=wanted.sample is not None)
        tensors = tuple(_tensors(source, against, wanted, progress))
        tensors = _with_aids(tensors, source, costs, calibration, wanted.costs)
        report = _report(source, facts, tensors, wanted)
        if against is not None:
            report = attrs.evolve(report, compared=_compared(source, against))
        if costs is not None:
            report = attrs.evolve(report, frontier=frontier_report(costs, source, against))
    if calibration is not None:
        report = attrs.evolve(report, calibration=calibration_facts(calibration))
    return report


def _report(source: Source, facts: FileFacts, tensors: tuple[TensorReport, ...], wanted: ReportRequest) -> ModelReport:
    unread = [f"{tensor.name}: {tensor.trouble}" for tensor in tensors if tensor.trouble is not None]
    more = len(unread) - MOST_TROUBLES
    if more > 0:
        unread[MOST_TROUBLES:] = [f"{more} more tensors could not be read"]
    return ModelReport(
        name=wanted.path.name or str(wanted.path),
        kind=facts.kind,
        facts=facts.facts,
        hyper=dict(source.hyper),
        tensors=tensors,
        rules=rule_reports(facts.policy, tensors) if facts.policy else (),
        troubles=(*facts.troubles, *unread),
        notes=source.notes,
        checked=facts.checked,
        sample=wanted.sample,
    )


def _tensors(
    source: Source, against: Source | None, wanted: ReportRequest, progress: OnProgress | None
) -> Iterator[TensorReport]:
    others = {} if against is None else {tensor.name: tensor for tensor in against.tensors}
    tied = bool(source.hyper.get("tied_embeddings", False))
    count = counter(len(source.everything), progress)
    for tensor in source.everything:
        report = tensor_report(tensor, tied=tied)
        other = others.get(tensor.name)
        if other is not None:
            report = attrs.evolve(report, other=beside(other))
        if isinstance(tensor, SourceTensor) and wanted.sample is not None and report.readable:
            report = _looked_at(report, tensor, other, wanted.sample)
        yield report
        count(tensor.name, 1)


def _looked_at(report: TensorReport, tensor: SourceTensor, other: SourceTensor | None, sample: int) -> TensorReport:
    """The tensor's report with its weights, or the reason why there are none."""
    alike = other if other is not None and other.shape == tensor.shape else None
    try:
        return attrs.evolve(report, weights=picture(tensor, alike, sample))
    except (InputError, PluginError) as error:
        reason = _reason(error)
    if alike is None:
        return attrs.evolve(report, trouble=reason)
    alone = _looked_at(report, tensor, None, sample)
    return attrs.evolve(alone, trouble=alone.trouble or f"not compared: {reason}")


def _reason(error: FourccError) -> str:
    """The message without the tensor's name, which stands beside it."""
    where = "" if error.offset is None else f" at byte {error.offset}"
    hint = "" if error.hint is None else f". {error.hint}"
    return shown(f"{error.what}{where}{hint}")


def _with_aids(
    tensors: tuple[TensorReport, ...],
    source: Source,
    costs: Costs | None,
    calibration: Calibration | None,
    file: Path | None,
) -> tuple[TensorReport, ...]:
    prices = {} if costs is None else cost_facts(costs, source, file)
    known: Mapping[str, Mapping[str, object]] = {} if calibration is None else inputs(calibration, source)
    return tuple(
        attrs.evolve(tensor, costs=prices.get(tensor.name), inputs=known.get(tensor.name, {})) for tensor in tensors
    )


def _compared(source: Source, against: Source) -> ComparedReport:
    here, there = ({tensor.name for tensor in each.everything} for each in (source, against))
    reports = [tensor_report(tensor, tied=False) for tensor in against.everything]
    sizes = [report.nbytes for report in reports]
    return ComparedReport(
        name=against.path.name or str(against.path),
        kind=against.kind,
        tensors=len(reports),
        weights=sum(report.count for report in reports),
        nbytes=None if None in sizes else sum(nbytes or 0 for nbytes in sizes),
        changes=tuple((each.what, _stated(each.b), _stated(each.a)) for each in file_changes(against, source)),
        only_here=tuple(tensor.name for tensor in source.everything if tensor.name not in there),
        only_there=tuple(tensor.name for tensor in against.everything if tensor.name not in here),
    )


def _stated(value: object) -> str:
    return "-" if value is None else shown(value)
