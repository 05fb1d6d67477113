"""The map of a report: which tensor is in which cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fourcc.drawing.map import MapCell, MapColumn, MapMeasure, layer_map
from fourcc.drawing.palette import Scale
from fourcc.naming import position, split_name
from fourcc.reporting.document import ModelReport, TensorReport

Numbered = tuple[int, TensorReport]  # a tensor's number in the file, from 0, by which its panel is linked


def model_map(report: ModelReport) -> str:
    """The map as HTML; tensors without a layer stand beside it."""
    cells = cells_of(report.tensors)
    inside = [some for some in cells if some[0][1].layer is not None]
    columns = [_column(some) for some in _one_a_column(inside)]
    measures, sensitivity = _measures(report)
    drawn = [_cell(some, sensitivity=sensitivity) for some in cells]
    return layer_map(drawn, columns, measures, key="model", caption="Layers and kinds of tensors")


def cells_of(tensors: Sequence[TensorReport]) -> list[list[Numbered]]:
    """The tensors of each cell: one, but experts that have a tensor each share one; in the file's order."""
    cells: dict[tuple[object, str], list[Numbered]] = {}
    for number, tensor in enumerate(tensors):
        place = (number, "") if tensor.layer is None else (tensor.layer, column_key(tensor.name))
        cells.setdefault(place, []).append((number, tensor))
    return list(cells.values())


def column_key(name: str) -> str:
    """The name without numbers: tensors of one kind have one key.

    >>> column_key("layers.3.attention.wq"), column_key("model.layers.3.mlp.experts.17.w1.bias")
    ('attention.wq', 'mlp.experts.*.w1.bias')
    """
    template, _, ending = split_name(name)
    rest = template.partition("*.")[2] or template
    words = ["*" if word.isdigit() else word for word in rest.split(".")]
    return ".".join(words) + (ending if ending == ".bias" else "")


def _one_a_column(cells: Iterable[list[Numbered]]) -> list[TensorReport]:
    """The first tensor of each column, in the order in which a model runs; unknown names last, in the file's order."""
    firsts: dict[str, TensorReport] = {}
    for (_, tensor), *_ in cells:
        firsts.setdefault(column_key(tensor.name), tensor)
    return sorted(firsts.values(), key=lambda tensor: (position(tensor.name)[0], position(tensor.name)[2]))


def _column(tensor: TensorReport) -> MapColumn:
    key = column_key(tensor.name)
    group, _, title = key.removesuffix(".bias").rpartition(".")
    role = tensor.roles[0].rpartition(".")[2] if tensor.roles else ""
    return MapColumn(key, f"{title} bias" if key.endswith(".bias") else title, group, "" if role == "other" else role)


def _measures(report: ModelReport) -> tuple[list[MapMeasure], bool]:
    """The measures that are known of the model, and whether the divergence is that of the reference formats."""
    measures = [MapMeasure("bits", "bits per weight", _about_vectors(report))]
    if any(tensor.shown_sqnr is not None for tensor in report.tensors):
        what = "measured against the compared model" if report.compared else "measured while encoding"
        note = f"Error of the weights, {what}; more is better. A dash: not encoded, or not known."
        measures.append(MapMeasure("error", "SQNR in dB", note, falling=True, least=1.0))
    costs = [tensor.costs for tensor in report.tensors if tensor.costs is not None]
    sensitivity = bool(costs) and all(each.kld is None for each in costs)
    if costs:
        note = "Nats a token that the model loses if only this matrix has its format."
        if sensitivity:
            note = "How sensitive: nats a token that the model loses if only this matrix has about 3.5 bits a weight."
        measures.append(MapMeasure("kld", "KL divergence", note, ratio=True))
    return measures, sensitivity


def _about_vectors(report: ModelReport) -> str:
    return "Norms and other vectors have no colour." if any(len(tensor.shape) < 2 for tensor in report.tensors) else ""


def _cell(some: Sequence[Numbered], *, sensitivity: bool) -> MapCell:
    number, first = some[0]
    tensors = [tensor for _, tensor in some]
    sizes = [tensor.nbytes for tensor in tensors]
    errors = [tensor.shown_sqnr for tensor in tensors if tensor.shown_sqnr is not None]
    costs = [each for tensor in tensors if tensor.costs is not None and (each := _kld(tensor, sensitivity)) is not None]
    values: dict[Scale, float | None] = {
        "bits": None if None in sizes else 8 * sum(n or 0 for n in sizes) / max(1, sum(t.count for t in tensors)),
        "error": min(errors, default=None),
        "kld": sum(costs) if costs else None,
    }
    return MapCell(
        name=first.name if len(some) == 1 else f"{first.name} and {len(some) - 1} more",
        label=first.tag if len({tensor.tag for tensor in tensors}) == 1 else "mixed",
        values=values,
        href=f"#t{number}",
        row=first.layer,
        column=column_key(first.name),
        count=len(some),
        minor=all(len(tensor.shape) < 2 for tensor in tensors),
    )


def _kld(tensor: TensorReport, sensitivity: bool) -> float | None:  # noqa: FBT001 - the only caller names it
    assert tensor.costs is not None
    return tensor.costs.reference if sensitivity else tensor.costs.kld
