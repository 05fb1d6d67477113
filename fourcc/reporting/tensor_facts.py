"""Facts of a tensor, before its weights are read."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import TYPE_CHECKING

import attrs

from fourcc.dtypes import DType
from fourcc.errors import PluginError
from fourcc.naming import layer, roles
from fourcc.reporting.document import Counterpart, ReportedPart, TensorReport
from fourcc.sources.source import SourceTensor, Unreadable

if TYPE_CHECKING:
    from fourcc.container.index import ErrorRecord, FeedbackRecord, PartRecord, TensorRecord
    from fourcc.format import Format


def tensor_report(tensor: SourceTensor | Unreadable, *, tied: bool) -> TensorReport:
    """A tensor of an opened source; `tied`: whether the model's output matrix is its embedding."""
    base = TensorReport(
        name=tensor.name,
        source_name=tensor.source_name,
        shape=tensor.shape,
        roles=roles(tensor.name, tied=tied),
        layer=layer(tensor.name),
        tag="",
        nbytes=None,
    )
    if isinstance(tensor, Unreadable):
        reason = "no installed format has this layout"
        return attrs.evolve(base, tag=tensor.layout, nbytes=tensor.nbytes, readable=False, trouble=reason)
    base = attrs.evolve(base, tag=str(tensor.tag), nbytes=_nbytes(tensor))
    try:
        fmt = tensor.format
    except PluginError as error:
        return attrs.evolve(_recorded(base, tensor, None), readable=False, trouble=str(error))
    return _recorded(base, tensor, fmt)


def beside(tensor: SourceTensor) -> Counterpart:
    """A tensor that is only compared with."""
    record = tensor.record
    sqnr = None if record is None or record.error is None else _sqnr(record.error)
    return Counterpart(str(tensor.tag), tensor.shape, _nbytes(tensor) or 0, sqnr)


def _nbytes(tensor: SourceTensor) -> int | None:
    try:
        return tensor.nbytes
    except PluginError:
        return None


def _recorded(base: TensorReport, tensor: SourceTensor, fmt: Format | None) -> TensorReport:
    """The report with all that the format, and the record in a model.bin, say."""
    facts: dict[str, object] = {}
    if fmt is not None:
        facts |= {"format": fmt.summary, "nominal bits": float(fmt.bits_per_weight(tensor.params))}
    facts |= {"parameters": _settings(tensor.params)}
    record = tensor.record
    if record is None:
        return attrs.evolve(base, facts=_said(facts))
    facts |= _facts_of(record, tensor, fmt)
    base = attrs.evolve(base, facts=_said(facts), rule=record.rule, parts=tuple(map(_part, record.parts)))
    if record.error is None:
        return base
    error = record.error
    rmse = inf if error.relative_rmse is None else error.relative_rmse
    return attrs.evolve(base, sqnr_db=_sqnr(error), relative_rmse=rmse, max_error=error.max_error)


def _facts_of(record: TensorRecord, tensor: SourceTensor, fmt: Format | None) -> dict[str, object]:
    return {
        "encoder's options": _settings(record.options),
        "format by": None if tensor.provider is None else str(tensor.provider),
        "encoder version": _version(record.encoder_version, fmt),
        "calibration data": None if record.aids is None else f"BLAKE2b-128 {record.aids.hex()}",
        "error feedback": None if record.feedback is None else _feedback(record.feedback),
    }


def _said(facts: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in facts.items() if value not in {None, ""}}


def _settings(values: Mapping[str, object]) -> str:
    return " ".join(f"{name}={value}" for name, value in values.items())


def _version(stored: int | None, fmt: Format | None) -> str:
    if stored is None:
        return "none: kept as it was stored"
    if fmt is None or fmt.encoder_version == stored:
        return str(stored)
    return f"{stored} (installed: {fmt.encoder_version}, which may encode otherwise)"


def _feedback(record: FeedbackRecord) -> str:
    settings = f"{record.method}, damping {record.damping:g}, order {record.order}"
    return f"{settings}, hessian BLAKE2b-128 {record.hessian.hex()}"


def _sqnr(error: ErrorRecord) -> float:
    if error.sqnr_db is None:
        return inf if error.relative_rmse == 0 else -inf
    return error.sqnr_db


def _part(record: PartRecord) -> ReportedPart:
    sums = record.sums.hex(" ", -8).split()
    checksum = sums[0] if len(sums) == 1 else f"{sums[0]} … {sums[-1]}, {len(sums)} chunks" if sums else ""
    return ReportedPart(record.name, _dtype(record.dtype), record.shape, record.offset, record.nbytes, checksum)


def _dtype(kind: DType) -> str:
    if isinstance(kind, str):
        return kind
    return ", ".join(f"{name} {each}{list(shape) if shape else ''}" for name, each, shape in kind)
