"""The listing of a checkpoint that is not a model.bin."""

from __future__ import annotations

from fractions import Fraction
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from fourcc.cli.render import json_documents, tables, terminal, units
from fourcc.cli.render.cell_styles import by_bits
from fourcc.cli.render.tables import Column

if TYPE_CHECKING:
    from fourcc.sources.source import Source, SourceTensor, Unreadable

COLUMNS = (
    Column("tensor"),
    Column("shape"),
    Column("tag"),
    Column("bits/weight", right=True, style=by_bits),
    Column("bytes", right=True, leave=1),
)


def show(path: Path, *, quiet: bool, as_json: bool) -> None:
    """Writes the listing to stdout. Raises as `open_source` does."""
    from fourcc.sources import open_source

    with open_source(path) as source:
        terminal.notes(source.notes, quiet=quiet)
        if as_json:
            json_documents.show("inspect", _document(source))
            return
        tables.facts(_facts(source))
        terminal.out("")
        tables.show(COLUMNS, [_row(tensor) for tensor in source.everything])


def stored_bytes(tensor: SourceTensor | Unreadable) -> int:
    """Bytes that a tensor takes in its file."""
    from fourcc.plugins.registry import registry
    from fourcc.sources.source import Unreadable

    if isinstance(tensor, Unreadable):
        return tensor.nbytes
    if tensor.record is not None:
        return tensor.record.nbytes
    return registry[tensor.tag].stored_bytes(tensor.shape, tensor.params)


def tensor_document(tensor: SourceTensor) -> dict[str, object]:
    """The facts of a tensor before it is read, as a JSON object."""
    weights, nbytes = prod(tensor.shape), stored_bytes(tensor)
    return {
        "name": tensor.name,
        "source_name": tensor.source_name,
        "shape": list(tensor.shape),
        "tag": str(tensor.tag),
        "params": dict(tensor.params),
        "weights": weights,
        "bits_per_weight": json_documents.bits(Fraction(8 * nbytes, max(1, weights))),
        "bytes": nbytes,
    }


def _unreadable_document(tensor: Unreadable) -> dict[str, object]:
    return {
        "name": tensor.name,
        "source_name": tensor.source_name,
        "shape": list(tensor.shape),
        "layout": tensor.layout,
        "weights": prod(tensor.shape),
        "bytes": tensor.nbytes,
    }


def _facts(source: Source) -> list[tuple[str, str]]:
    weights, nbytes = _totals(source)
    bits, of_files = (units.bits(Fraction(8 * size, max(1, weights))) for size in (nbytes, _file_bytes(source)))
    rows = [
        ("file", f"{source.path}: {source.kind}"),
        ("architecture", _architecture(source)),
        ("hyper-parameters", units.settings(source.hyper)),
        ("blobs", ", ".join(f"{name} ({units.plain_bytes(len(data))})" for name, data in source.blobs.items())),
        (
            "total",
            f"{len(source.everything)} tensors, {weights} weights, {bits} bits per weight, {units.plain_bytes(nbytes)}",
        ),
        # Tensors of other tools may be read into a layout that takes more or fewer bytes than theirs.
        ("in files", f"{units.plain_bytes(_file_bytes(source))}, {of_files} bits per weight with all that they hold"),
    ]
    return [(name, value) for name, value in rows if value]


def _architecture(source: Source) -> str:
    """Our word, and the files' own where it is another."""
    ours = source.architecture or "unknown"
    return ours if source.stated is None else f"{ours} (a {source.stated})"


def _totals(source: Source) -> tuple[int, int]:
    return sum(prod(tensor.shape) for tensor in source.everything), sum(map(stored_bytes, source.everything))


def _file_bytes(source: Source) -> int:
    return sum(path.stat().st_size for path in source.files)


def _row(tensor: SourceTensor | Unreadable) -> list[str]:
    nbytes = stored_bytes(tensor)
    bits = units.bits(Fraction(8 * nbytes, max(1, prod(tensor.shape))))
    return [tensor.name, units.shape(tensor.shape), _layout(tensor), bits, str(nbytes)]


def _layout(tensor: SourceTensor | Unreadable) -> str:
    """The tag, or the foreign name of a layout without one, in parentheses."""
    from fourcc.sources.source import Unreadable

    return f"({tensor.layout})" if isinstance(tensor, Unreadable) else str(tensor.tag)


def _document(source: Source) -> dict[str, object]:
    weights, nbytes = _totals(source)
    return {
        "file": str(source.path),
        "kind": source.kind,
        "file_bytes": _file_bytes(source),
        "architecture": source.architecture,
        "stated_architecture": source.stated,
        "hyper": dict(source.hyper),
        "blobs": [{"name": name, "bytes": len(data)} for name, data in source.blobs.items()],
        "tensors": [tensor_document(tensor) for tensor in source.tensors],
        "unreadable": [_unreadable_document(tensor) for tensor in source.unreadable],
        "total": {
            "tensors": len(source.everything),
            "weights": weights,
            "bits_per_weight": json_documents.bits(Fraction(8 * nbytes, max(1, weights))),
            "bytes": nbytes,
        },
        "notes": list(source.notes),
    }
