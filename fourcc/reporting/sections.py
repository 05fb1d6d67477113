"""The sections of the page: formats, comparison, rules, frontier, all tensors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import inf, log10

from fourcc.drawing.frontier import Mark, frontier, legend
from fourcc.drawing.markup import element, number, size, text
from fourcc.drawing.table import Markup, bar, table
from fourcc.reporting.document import ComparedReport, FrontierReport, ModelReport, TensorReport


def figures(report: ModelReport) -> list[tuple[str, str]]:
    """The numbers at the head of the page: value and words."""
    nbytes = report.nbytes
    found = [(_short(report.count), "weights"), (f"{len(report.tensors):,}", "tensors")]
    if nbytes is not None:
        found = [
            (number(8 * nbytes / max(1, report.count), 3), "bits per weight"),
            (size(nbytes), "of tensors"),
            *found,
        ]
    errors = [tensor.weights.error for tensor in report.tensors if tensor.weights is not None and tensor.weights.error]
    unlike = any(tensor.weights.differing for tensor in report.tensors if tensor.weights is not None)
    if errors:
        noise, signal = sum(each.noise for each in errors), sum(each.signal for each in errors)
        words = _decibel(signal, noise)
        found.append(("not finite alike" if unlike and noise == 0 else words, "against the compared model"))
    if report.frontier is not None and report.frontier.here is not None:
        found.append((f"{report.frontier.here[1]:.3g}", "nats a token, predicted"))
    return found


def _decibel(signal: float, noise: float) -> str:

    return f"{10 * log10(signal / noise):.1f} dB" if signal > 0 and noise > 0 else "no error" if noise == 0 else "noise"


def _short(count: int) -> str:
    """A number of weights; of millions three digits."""
    for unit, power in (("G", 9), ("M", 6)):
        if count >= 10**power * 0.9995:
            return f"{count / 10**power:.3g} {unit}"
    return f"{count:,}"


def formats(report: ModelReport) -> str:
    """The formats of the model, by their bytes."""
    groups: dict[str, list[TensorReport]] = defaultdict(list)
    for tensor in report.tensors:
        groups[tensor.tag].append(tensor)
    whole = sum(tensor.nbytes or 0 for tensor in report.tensors) or 1
    records = [_format(tag, some, whole) for tag, some in groups.items()]
    records.sort(key=lambda record: -float(str(record["order"])))
    return table([{key: value for key, value in record.items() if key != "order"} for record in records])


def _format(tag: str, tensors: Sequence[TensorReport], whole: int) -> dict[str, object]:
    weights, nbytes = totals(tensors)
    share = (nbytes or 0) / whole
    return {
        "format": tag,
        "share of bytes": Markup(bar(share) + f"<span>{100 * share:.3g} %</span>", share),
        "tensors": len(tensors),
        "weights": weights,
        "bytes": nbytes,
        "bits per weight": None if nbytes is None else 8 * nbytes / max(1, weights),
        "what it is": str(next((each.facts["format"] for each in tensors if "format" in each.facts), "not installed")),
        "order": nbytes or 0,
    }


def totals(tensors: Sequence[TensorReport]) -> tuple[int, int | None]:
    """Weights and bytes; None where a tensor's bytes are not known."""
    sizes = [tensor.nbytes for tensor in tensors]
    return sum(each.count for each in tensors), None if None in sizes else sum(nbytes or 0 for nbytes in sizes)


def linked(tensor: TensorReport, place: int) -> Markup:
    """The tensor's name with a link to its panel; sorted by its place in the file."""
    return Markup(element("a", text(tensor.name), href=f"#t{place}"), place)


def all_tensors(report: ModelReport) -> str:
    """The table of all tensors; columns that no tensor has a value for are left out."""
    records = [
        {
            "tensor": linked(tensor, place),
            "shape": " × ".join(map(str, tensor.shape)) or "scalar",  # noqa: RUF001 - as shapes are printed
            "format": tensor.tag,
            "bits per weight": tensor.bits,
            "bytes": tensor.nbytes,
            "SQNR dB": _decibels(tensor.shown_sqnr),
            "rule": tensor.rule,
            "nats a token": None if tensor.costs is None else _small(tensor.costs.kld),
        }
        for place, tensor in enumerate(report.tensors)
    ]
    empty = {key for key in (records[0] if records else {}) if all(record[key] is None for record in records)}
    kept = [{key: value for key, value in record.items() if key not in empty} for record in records]
    return table(kept, sortable=True)


def _decibels(value: float | None) -> Markup | None:
    return None if value is None else Markup("exact" if value == inf else f"{value:.1f}", value)


def _small(value: float | None) -> Markup | None:
    return None if value is None else Markup(f"{value:.3g}", value)


def compared_totals(report: ModelReport, other: ComparedReport) -> str:
    """Both files, a row each."""
    here = {"tensors": len(report.tensors), "weights": report.count, "bytes": report.nbytes}
    there = {"tensors": other.tensors, "weights": other.weights, "bytes": other.nbytes}
    rows = ((report.name, "this file", here), (other.name, "compared with", there))
    return table([{"file": name, "which": words, **some, "bits per weight": _bits(some)} for name, words, some in rows])


def _bits(some: dict[str, int | None] | dict[str, int]) -> float | None:
    nbytes, weights = some["bytes"], some["weights"]
    return None if nbytes is None else 8 * nbytes / max(1, weights or 0)


def differences(report: ModelReport) -> str:
    """The tensors that are stored otherwise in the two models, or have other weights."""
    records = [_difference(tensor, place) for place, tensor in enumerate(report.tensors) if _differs(tensor)]
    return table(records, sortable=True)


def _differs(tensor: TensorReport) -> bool:
    other = tensor.other
    if other is None:
        return False
    stored = (other.tag, other.shape, other.nbytes) != (tensor.tag, tensor.shape, tensor.nbytes)
    return stored or (tensor.weights is not None and tensor.weights.differing > 0)


def _difference(tensor: TensorReport, place: int) -> dict[str, object]:
    other = tensor.other
    assert other is not None
    measured = None if tensor.weights is None else tensor.weights.error
    weights = max(1, tensor.count)
    return {
        "tensor": linked(tensor, place),
        "compared": other.tag,
        "this file": tensor.tag,
        "bits there": 8 * other.nbytes / weights,
        "bits here": tensor.bits,
        "bytes": None
        if tensor.nbytes is None
        else Markup(_signed(tensor.nbytes - other.nbytes), tensor.nbytes - other.nbytes),
        "SQNR dB": _decibels(None if measured is None else tensor.shown_sqnr),
        "relative RMSE": _small(None if measured is None else measured.relative_rmse),
        "max error": _small(None if measured is None else measured.max_error),
    }


def _signed(difference: int) -> str:
    return f"{difference:+,}" if difference else "0"


def rule_totals(tensors: Sequence[TensorReport]) -> str:
    """A sentence on what a rule took."""
    if not tensors:
        return "took no tensor"
    weights, nbytes = totals(tensors)
    what = f"took {len(tensors)} tensor{'s' * (len(tensors) != 1)}, {weights:,} weights"
    tags = ", ".join(sorted({tensor.tag for tensor in tensors}))
    known = "" if nbytes is None else f", {nbytes:,} bytes, {number(8 * nbytes / max(1, weights), 3)} bits per weight"
    return f"{what}{known} ({tags})"


def frontier_picture(found: FrontierReport, names: tuple[str, str]) -> str:
    """The frontier with the file, the compared one, and single formats; `names` are those of the two files."""
    marks = [Mark(tag, nbytes, kld) for tag, nbytes, kld in found.formats]
    if found.here is not None:
        marks.append(Mark(_brief(names[0], "this file"), *found.here, kind="file"))
    if found.there is not None:
        marks.append(Mark(_brief(names[1], "compared with"), *found.there, kind="other"))
    title = "KL divergence against size: the best mixes as a line, this file and single formats as marks"
    drawn = frontier(found.points, marks, weights=found.weights, title=title)
    return drawn + legend(mark.kind for mark in marks) if drawn else ""


def _brief(name: str, words: str) -> str:
    return name if len(name) <= 30 else words


def single_formats(found: FrontierReport) -> str:
    """The formats that every matrix can have, as a table."""
    records = [
        {
            "all in": name,
            "bits per weight": 8 * nbytes / max(1, found.weights),
            "bytes": nbytes,
            "nats a token": _small(kld),
        }
        for name, nbytes, kld in sorted(found.formats, key=lambda each: each[1])
    ]
    return table(records, sortable=True)
