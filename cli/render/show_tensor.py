"""One tensor in depth: its facts, the places of its bytes, and the statistics of its weights."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from fourcc.cli.render import json_documents, show_source, tables, terminal, units
from fourcc.cli.render.tables import Column
from fourcc.errors import PluginError, UsageError

if TYPE_CHECKING:
    from fourcc.analysis.statistics import Bin, Statistics
    from fourcc.container.index import FeedbackRecord
    from fourcc.sources.source import Source, SourceTensor
    from fourcc.spec import FormatSpec

BARS = 32  # lines of a histogram at most
BAR_WIDTH, LEAST_BAR = 40, 8  # characters of the longest bar, where there is room and where there is not

PARTS = (Column("part"), Column("dtype"), Column("shape"), Column("offset", right=True), Column("bytes", right=True))


def show(path: Path, name: str, *, as_json: bool) -> None:
    """Writes all facts of a tensor to stdout.

    Raises:
        UsageError: no tensor of that name.
        FourccError: as `open_source` does, and for damage in the tensor's bytes.
    """
    from fourcc.sources import open_source

    with open_source(path) as source:
        tensor = find(source, name)
        measured = _measured(tensor)
        if as_json:
            return json_documents.show("inspect-tensor", _document(source, tensor, measured))
        tables.facts(_facts(source, tensor))
        if tensor.record is not None:
            terminal.out("")
            rows = [
                [p.name, json_documents.dtype(p.dtype), units.shape(p.shape), str(p.offset), str(p.nbytes)]
                for p in tensor.record.parts
            ]
            tables.show(PARTS, rows)
        terminal.out("")
        if isinstance(measured, str):
            return tables.paragraph(f"not decoded: {measured}")
        return _show_measures(measured)


def find(source: Source, name: str) -> SourceTensor:
    """The tensor of that name, in fourcc's, the source's, Hugging Face's or GGUF's spelling.

    Raises:
        UsageError: there is none; the message offers the nearest names.
    """
    from fourcc.policy.places import nearest

    source.refuse_unreadable(lambda candidate: candidate == name)
    known = {tensor.name: tensor for tensor in source.tensors}
    other = next((tensor.name for tensor in source.tensors if tensor.source_name == name), None)
    name = name if name in known else other or _in_our_spelling(name)
    if name not in known:
        hint = nearest(name, known, 3) or "`fourcc inspect` lists the names."
        raise UsageError(f"no tensor is named {name!r}", file=source.path, hint=hint[:1].upper() + hint[1:])
    return known[name]


def _in_our_spelling(name: str) -> str:
    """A name of Hugging Face's or GGUF's in fourcc's spelling; any other as it is."""
    from fourcc.naming import SPELLINGS, to_fourcc

    return next(filter(None, (to_fourcc(name, spelling) for spelling in SPELLINGS)), name)


def bars(bins: Sequence[Bin], *, of_codes: bool, limit: int | None = None) -> list[str]:
    """A histogram in text, in lines of at most `limit`. If there are many codes, runs of them share a bar."""
    grouped = _grouped(bins) if of_codes else [(_label(each.low, each.high), each.count) for each in bins]
    longest = max((count for _, count in grouped), default=0) or 1
    wide = max((len(label) for label, _ in grouped), default=0)
    digits = len(str(longest))
    room = BAR_WIDTH if limit is None else min(BAR_WIDTH, max(LEAST_BAR, limit - wide - digits - 2 * len(tables.GAP)))
    return [
        f"{label.rjust(wide)}  {str(count).rjust(digits)}  {'#' * -(-room * count // longest)}".rstrip()
        for label, count in grouped
    ]


def _grouped(bins: Sequence[Bin]) -> list[tuple[str, int]]:
    """Codes in runs of equal length, at most `BARS` of them."""
    low, high = int(bins[0].low), int(bins[-1].high)
    step = -(-(high - low + 1) // BARS)
    counts = [0] * -(-(high - low + 1) // step)
    for each in bins:
        counts[(int(each.low) - low) // step] += each.count
    firsts = range(low, high + 1, step)
    return [
        (str(first) if step == 1 else f"{first} to {min(high, first + step - 1)}", count)
        for first, count in zip(firsts, counts, strict=True)
    ]


def _label(low: float, high: float) -> str:
    return f"{low:.4g} to {high:.4g}"


def _measured(tensor: SourceTensor) -> Statistics | str:
    """The statistics, or the reason why there are none."""
    from fourcc.analysis.statistics import statistics

    try:
        return statistics(tensor)
    except PluginError as error:
        return str(error)


def _facts(source: Source, tensor: SourceTensor) -> list[tuple[str, str]]:
    from fourcc.naming import layer, roles

    spec, nbytes = _spec(tensor), show_source.stored_bytes(tensor)
    bits = units.bits(8 * nbytes / max(1, prod(tensor.shape)))
    rows = [
        ("tensor", tensor.name),
        ("source name", tensor.source_name),
        ("shape", units.shape(tensor.shape)),
        ("roles", ", ".join(roles(tensor.name, tied=bool(source.hyper.get("tied_embeddings", False))))),
        ("layer", "" if (number := layer(tensor.name)) is None else str(number)),
        ("tag", str(tensor.tag) if spec is None else f"{tensor.tag} ({spec.summary})"),
        ("params", units.settings(tensor.params)),
        ("bytes", units.plain_bytes(nbytes)),
        (
            "bits per weight",
            bits if spec is None else f"{bits} (nominal {units.bits(spec.bits_per_weight(tensor.params))})",
        ),
        *_record_facts(tensor),
    ]
    return [(name, value) for name, value in rows if value]


def _record_facts(tensor: SourceTensor) -> Iterable[tuple[str, str]]:
    """The facts that only a model.bin records."""
    record = tensor.record
    if record is None:
        return
    yield "options", units.settings(record.options)
    yield "rule", "" if record.rule is None else f"rule[{record.rule}]"
    yield "format by", "unknown" if tensor.provider is None else str(tensor.provider)
    yield "encoder version", _versions(tensor, record.encoder_version)
    yield "calibration data", "" if record.aids is None else f"BLAKE2b-128 {record.aids.hex()}"
    yield "error feedback", "" if record.feedback is None else _feedback(record.feedback)
    if record.error is not None:
        yield "relative RMSE", units.relative_rmse(record.error)
        yield "SQNR", f"{units.sqnr(record.error)} dB"
        yield "max error", f"{record.error.max_error:.3g}"


def _feedback(record: FeedbackRecord) -> str:
    settings = f"{record.method}, damping {record.damping:g}, order {record.order}"
    return f"{settings}, hessian BLAKE2b-128 {record.hessian.hex()}"


def _versions(tensor: SourceTensor, stored: int | None) -> str:
    """The encoder's version in the file, and the installed version if it differs."""
    spec = _spec(tensor)
    if stored is None:
        return "none: kept as it was stored"
    if spec is None or spec.encoder_version == stored:
        return str(stored)
    return f"{stored} (installed: {spec.encoder_version}, which may encode otherwise)"


def _spec(tensor: SourceTensor) -> FormatSpec | None:
    """The declaration of the tensor's format, or None if the format is missing or broken."""
    try:
        return tensor.format
    except PluginError:
        return None


def _show_measures(statistics: Statistics) -> None:
    """Writes measures of the weights, and their histogram, to stdout."""
    for line in _measure_lines(statistics):
        tables.paragraph(line)
    if statistics.bins:
        terminal.out("")
        tables.paragraph(f"histogram of the {'codes' if statistics.of_codes else 'weights'}")
        for line in bars(statistics.bins, of_codes=statistics.of_codes, limit=tables.limit()):
            terminal.out(line)


def _measure_lines(statistics: Statistics) -> list[str]:
    lines = [
        f"weights {statistics.weights}"
        + (f", {statistics.nonfinite} of them not finite" if statistics.nonfinite else "")
    ]
    if statistics.minimum is not None:
        measures = {
            "min": statistics.minimum,
            "max": statistics.maximum,
            "mean": statistics.mean,
            "std": statistics.std,
        }
        known = {name: "beyond float64" if value is None else f"{value:.6g}" for name, value in measures.items()}
        lines.append(", ".join(f"{name} {value}" for name, value in known.items()))
        lines += _shape_lines(statistics)
    return lines


def _shape_lines(statistics: Statistics) -> list[str]:
    lines = []
    if statistics.kurtosis is not None and statistics.outliers is not None:
        lines.append(f"kurtosis {statistics.kurtosis:.3g}, {100 * statistics.outliers:.2g} % beyond 4 std")
    if statistics.rows is not None and statistics.columns is not None:
        spreads = {"rows": statistics.rows, "columns": statistics.columns}
        lines += [f"RMS of {name} {s.low:.3g} to {s.high:.3g}, median {s.median:.3g}" for name, s in spreads.items()]
    return lines


def _document(source: Source, tensor: SourceTensor, measured: Statistics | str) -> dict[str, object]:
    from fourcc.naming import layer, roles

    tied = bool(source.hyper.get("tied_embeddings", False))
    body = {
        **show_source.tensor_document(tensor),
        "roles": list(roles(tensor.name, tied=tied)),
        "layer": layer(tensor.name),
    }
    if tensor.record is not None:
        body |= {
            "options": dict(tensor.record.options),
            "parts": json_documents.parts(tensor.record.parts),
            "rule": tensor.record.rule,
            "encoder_version": tensor.record.encoder_version,
            "provider": None if tensor.provider is None else str(tensor.provider),
            "feedback": json_documents.feedback(tensor.record.feedback),
            "error": json_documents.error(tensor.record.error),
        }
    if isinstance(measured, str):
        return {"file": str(source.path), "tensor": body, "statistics": None, "undecoded": measured}
    return {"file": str(source.path), "tensor": body, "statistics": _statistics(measured), "undecoded": None}


def _statistics(statistics: Statistics) -> dict[str, object]:
    return {
        **json_documents.measures(statistics),
        "histogram_of": "codes" if statistics.of_codes else "weights",
        "histogram": [[each.low, each.high, each.count] for each in statistics.bins],
    }
