"""The listing of a model.bin, from its index alone."""

from __future__ import annotations

from pathlib import Path

from fourcc.cli.render import tables, terminal, units
from fourcc.cli.render.cell_styles import by_bits, by_decibels
from fourcc.cli.render.tables import Column
from fourcc.cli.shared import providers
from fourcc.container.index import Index, TensorRecord
from fourcc.container.reader import ModelFile

TAG = Column("tag")
PARAMS = Column("params", leave=4)
COLUMNS = (
    Column("tensor"),
    Column("shape"),
    TAG,
    Column("bits/weight", right=True, style=by_bits),
    Column("bytes", right=True, leave=2),
    Column("rel RMSE", right=True, leave=3),
    Column("SQNR dB", right=True, style=by_decibels),
    Column("rule", right=True, leave=1),
)


def show(path: Path, *, as_json: bool) -> None:
    """Writes the listing to stdout. Raises as `ModelFile` does."""
    with ModelFile(path) as model:
        if as_json:
            from fourcc.cli.render import json_documents

            json_documents.show("inspect", _document(model))
            return
        tables.facts(_facts(model))
        terminal.out("")
        tables.show(*_table(model.index))
        for number, line in enumerate(providers.lines(model.index)):
            if number == 0:
                terminal.out("")
            tables.paragraph(line)


def _facts(model: ModelFile) -> list[tuple[str, str]]:
    index = model.index
    sources = [f"{each.kind}, {units.plain_bytes(each.nbytes)}, XXH3-128 {each.digest.hex()}" for each in index.sources]
    rows = [
        ("file", f"{model.path}: model.bin {'.'.join(map(str, model.version))}, {units.plain_bytes(model.file.size)}"),
        *_shards(model),
        ("id", model.digest.hex()),
        ("architecture", index.architecture or "unknown"),
        ("hyper-parameters", units.settings(index.hyper)),
        *(("source", source) for source in sources),
        ("formats by", ", ".join(map(str, index.providers)) or ("unknown" if index.tensors else "-")),
        ("blobs", ", ".join(f"{blob.name} ({units.plain_bytes(blob.nbytes)})" for blob in index.blobs)),
        ("total", _total(index)),
    ]
    return [(name, value) for name, value in rows if value]


def _shards(model: ModelFile) -> list[tuple[str, str]]:
    if model.members[0].index.shard is None:
        return []
    names = [path.name for path in model.files]
    return [("shards", f"{len(names)}: {names[0]}{f' to {names[-1]}' * (len(names) > 1)}")]


def _shard_documents(model: ModelFile) -> list[dict[str, object]] | None:
    """The shards, each with the place of its tensors in the one file that they make; None where it is one file."""
    if model.members[0].index.shard is None:
        return None
    return [
        {
            "file": member.file.path.name,
            "bytes": member.file.size,
            "id": member.tail.digest.hex(),
            "tensors": len(member.index.tensors),
            "begin": model.file.begin(number),
        }
        for number, member in enumerate(model.members)
    ]


def _total(index: Index) -> str:
    bits, size = units.bits(index.bits_per_weight), units.plain_bytes(index.nbytes)
    return f"{len(index.tensors)} tensors, {index.weights} weights, {bits} bits per weight, {size}"


def _table(index: Index) -> tuple[list[Column], list[list[str]]]:
    """Columns and rows. Parameters of layouts have a column if there are any."""
    columns, rows = list(COLUMNS), [_row(tensor) for tensor in index.tensors]
    if any(tensor.params for tensor in index.tensors):
        place = columns.index(TAG) + 1
        columns.insert(place, PARAMS)
        for row, tensor in zip(rows, index.tensors, strict=True):
            row.insert(place, units.settings(tensor.params) or "-")
    return columns, rows


def _row(tensor: TensorRecord) -> list[str]:
    nbytes = tensor.nbytes
    return [
        tensor.name,
        units.shape(tensor.shape),
        str(tensor.tag),
        units.bits(8 * nbytes / max(1, tensor.weights)),
        str(nbytes),
        units.relative_rmse(tensor.error),
        units.sqnr(tensor.error),
        "-" if tensor.rule is None else str(tensor.rule),
    ]


def _document(model: ModelFile) -> dict[str, object]:
    from fourcc.cli.render import json_documents

    index = model.index
    absent = providers.missing(index)
    return {
        "file": str(model.path),
        "kind": "model.bin",
        "version": list(model.version),
        "id": model.digest.hex(),
        "file_bytes": model.file.size,
        "shards": _shard_documents(model),
        "architecture": index.architecture,
        "hyper": dict(index.hyper),
        "sources": [{"kind": s.kind, "bytes": s.nbytes, "xxh3_128": s.digest.hex()} for s in index.sources],
        "providers": [{"distribution": each.distribution, "version": each.version} for each in index.providers],
        "blobs": [{"name": blob.name, "offset": blob.offset, "bytes": blob.nbytes} for blob in index.blobs],
        "tensors": [tensor_document(tensor, index) for tensor in index.tensors],
        "missing": [{"tag": tag, "hint": providers.advice(tag, provider)} for tag, provider in absent.items()],
        "total": {
            "tensors": len(index.tensors),
            "weights": index.weights,
            "bits_per_weight": json_documents.bits(index.bits_per_weight),
            "bytes": index.nbytes,
        },
    }


def tensor_document(tensor: TensorRecord, index: Index) -> dict[str, object]:
    """The index entry of a tensor, as a JSON object."""
    from fourcc.cli.render import json_documents

    provider = None if tensor.provider is None else index.providers[tensor.provider]
    return {
        "name": tensor.name,
        "source_name": tensor.source_name,
        "shape": list(tensor.shape),
        "tag": str(tensor.tag),
        "params": dict(tensor.params),
        "options": dict(tensor.options),
        "parts": json_documents.parts(tensor.parts),
        "weights": tensor.weights,
        "bits_per_weight": json_documents.bits(tensor.bits_per_weight),
        "bytes": tensor.nbytes,
        "error": json_documents.error(tensor.error),
        "rule": tensor.rule,
        "encoder_version": tensor.encoder_version,
        "provider": None if provider is None else str(provider),
        "aids": None if tensor.aids is None else tensor.aids.hex(),
        "feedback": json_documents.feedback(tensor.feedback),
    }
