"""The panel of a tensor: all that is known of it, which the page shows when its cell is opened."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isfinite

from fourcc.drawing.histogram import histogram
from fourcc.drawing.markup import element, lines, number, size, text
from fourcc.drawing.table import facts, table
from fourcc.reporting.document import ModelReport, TensorReport, WeightPicture
from fourcc.reporting.map_cells import cells_of

SIBLINGS = 64  # tensors of one cell that are listed


def panels(report: ModelReport) -> Iterator[str]:
    """The panel of every tensor, a ``<section>`` with the id ``t`` and its number, in the file's order."""
    cells = {place: [other for other, _ in some] for some in cells_of(report.tensors) for place, _ in some}
    for place, tensor in enumerate(report.tensors):
        yield _panel(report, tensor, place, cells[place])


def _panel(report: ModelReport, tensor: TensorReport, place: int, cell: Sequence[int]) -> str:
    pieces = [
        _head(report, tensor, place),
        _trouble(tensor),
        facts(_facts(tensor)),
        _rule(report, tensor),
        *_pictures(tensor, report),
        _errors(tensor, report),
        _costs(tensor),
        _inputs(tensor),
        _parts(tensor),
        _siblings(report, cell) if len(cell) > 1 else "",
    ]
    return element(
        "section", *filter(None, pieces), id=f"t{place}", class_="panel", tabindex=-1, aria_labelledby=f"n{place}"
    )


def _head(report: ModelReport, tensor: TensorReport, place: int) -> str:
    links = []
    for there, word in ((place - 1, "previous"), (place + 1, "next")):
        if 0 <= there < len(report.tensors):
            links.append(element("a", word, href=f"#t{there}", class_=f"go-{word}"))
    links.append(element("a", "close", href="#closed", class_="close"))
    bits = "" if tensor.bits is None else f" at {_number(tensor.bits)} bits per weight"
    return (
        element("nav", *links, aria_label="Tensors")
        + element("h3", text(tensor.name), id=f"n{place}")
        + element("p", element("b", text(tensor.tag)) + text(bits), class_="lead")
    )


def _number(value: float) -> str:
    return number(value) if isfinite(value) else ("exact" if value > 0 else "-inf")


def _trouble(tensor: TensorReport) -> str:
    return "" if tensor.trouble is None else element("p", text(tensor.trouble), class_="trouble")


def _facts(tensor: TensorReport) -> dict[str, object]:
    shape = " × ".join(f"{dim:,}" for dim in tensor.shape) or "scalar"  # noqa: RUF001 - as shapes are printed
    known = {
        "shape": f"{shape}: {tensor.count:,} weights" if len(tensor.shape) > 1 else shape,
        "role": ", ".join(tensor.roles),
        "layer": tensor.layer,
        "size": None if tensor.nbytes is None else _size(tensor.nbytes),
        **tensor.facts,
        "named in the source": None if tensor.source_name == tensor.name else tensor.source_name,
    }
    return {name: value for name, value in known.items() if value is not None}


def _size(nbytes: int) -> str:
    return f"{nbytes:,} bytes" if nbytes < 1000 else f"{nbytes:,} bytes ({size(nbytes)})"


def _rule(report: ModelReport, tensor: TensorReport) -> str:
    rule = next((each for each in report.rules if each.number == tensor.rule), None)
    if rule is None:
        return ""
    written = element("pre", lines(rule.text)) if rule.text else ""
    return _title("Chosen by") + element("p", element("a", f"rule[{rule.number}]", href=f"#r{rule.number}")) + written


def _title(words: str) -> str:
    return element("h4", text(words))


def _pictures(tensor: TensorReport, report: ModelReport) -> Iterator[str]:
    found = tensor.weights
    if found is None:
        return
    yield _title("Weights")
    if found.bars:
        compared = None if report.compared is None or found.before is None else report.compared.name
        words = f"Histogram of the weights of {tensor.name}"
        yield histogram(found.bars, found.ends, before=found.before, title=words)
        yield _keys(compared)
    yield facts(_measures(found))
    if found.code_counts:
        low, high = found.code_ends
        yield _title("Codes")
        words = f"Histogram of the stored codes of {tensor.name}"
        yield histogram(found.code_counts, (low, high), title=words, codes=len(found.code_counts) <= 32)


def _keys(compared: str | None) -> str:
    if compared is None:
        return ""
    return element(
        "ul",
        element("li", "this file", class_="fc-key-line") + element("li", text(compared), class_="fc-key-before"),
        class_="fc-keys",
    )


def _measures(found: WeightPicture) -> dict[str, object]:
    now = found.now
    whole = "" if found.whole else f"{now.weights:,}, in runs of rows spread over the tensor"
    known = {
        "looked at": whole or None,
        "not finite": now.nonfinite or None,
        "range": None if now.minimum is None else f"{now.minimum:.4g} to {now.maximum:.4g}",
        "mean": None if now.mean is None else f"{now.mean:.3g}",
        "standard deviation": None if now.std is None else f"{now.std:.3g}",
        "kurtosis": None if now.kurtosis is None else f"{now.kurtosis:.3g} (normal: 3)",
        "beyond 4 deviations": None if now.outliers is None else f"{100 * now.outliers:.2g} %",
    }
    for name, spread in (("RMS of rows", now.rows), ("RMS of columns", now.columns)):
        if spread is not None:
            known[name] = f"{spread.low:.3g} to {spread.high:.3g}, middle {spread.median:.3g}"
    return {name: value for name, value in known.items() if value is not None}


def _errors(tensor: TensorReport, report: ModelReport) -> str:
    measured = None if tensor.weights is None else tensor.weights.error
    records = []
    if tensor.sqnr_db is not None:
        records.append(_error("while encoding", tensor.sqnr_db, tensor.relative_rmse, tensor.max_error))
    if measured is not None and report.compared is not None:
        name = f"against {report.compared.name}"
        records.append(_error(name, tensor.shown_sqnr, measured.relative_rmse, measured.max_error))
    return _title("Error") + table(records) if records else ""


def _error(name: str, sqnr: float | None, rmse: float | None, most: float | None) -> dict[str, object]:
    return {
        "measured": name,
        "SQNR dB": None if sqnr is None else _number(sqnr),
        "relative RMSE": None if rmse is None else f"{rmse:.3g}",
        "max error": None if most is None else f"{most:.3g}",
    }


def _costs(tensor: TensorReport) -> str:
    costs = tensor.costs
    if costs is None:
        return ""
    records = [
        {
            "format": f"{each.name} (this file)" if each.here else each.name,
            "bits": each.bits,
            "nats a token": None if each.kld is None else f"{each.kld:.3g}",
        }
        for each in costs.options
    ]
    unit = "" if costs.unit == tensor.name else f" of the unit {costs.unit}"
    words = f"Options{unit} that lose at least a fifth less than every smaller one"
    return _title("Cost of formats") + table(records, caption=words)


def _inputs(tensor: TensorReport) -> str:
    known = {name: value for name, value in tensor.inputs.items() if value is not None}
    return _title("Inputs, by the calibration") + facts(known) if known else ""


def _parts(tensor: TensorReport) -> str:
    records = [
        {
            "part": part.name,
            "dtype": part.dtype,
            "shape": " × ".join(map(str, part.shape)) or "scalar",  # noqa: RUF001 - as shapes are printed
            "offset": part.offset,
            "bytes": part.nbytes,
            "XXH3-64": part.checksum,
        }
        for part in tensor.parts
    ]
    return _title("Bytes") + table(records) if records else ""


def _siblings(report: ModelReport, cell: Sequence[int]) -> str:
    links = [
        element("li", element("a", text(report.tensors[place].name), href=f"#t{place}")) for place in cell[:SIBLINGS]
    ]
    return _title(f"{len(cell)} tensors share this cell") + element("ul", *links)
