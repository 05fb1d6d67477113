"""The result of a quantization: what was written, and what it was measured to be."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from fourcc.cli.render import json_documents, tables, units
from fourcc.cli.render.cell_styles import by_bits
from fourcc.cli.render.tables import Column

if TYPE_CHECKING:
    from fourcc.quantizing.result import Quantized

_MIXES = (
    Column("mix"),
    Column("bytes", right=True),
    Column("bits/weight", right=True, style=by_bits),
    Column("KL divergence", right=True),
)


def show(output: str, made: Quantized) -> None:
    """Writes a summary to stdout."""
    bits = 8 * made.nbytes / max(1, made.weights)
    divergence = made.divergence
    tables.facts(
        [
            ("output", f"{output}: {made.container}"),
            *(("beside", ", ".join(path.name for path in made.beside)) for _ in range(bool(made.beside))),
            ("tensors", units.counted(Counter(made.formats))),
            ("weights", str(made.weights)),
            ("bits per weight", units.bits(bits)),
            ("bytes", units.plain_bytes(made.file_bytes)),
            *([] if divergence is None else [("KL divergence", f"{divergence} nats a token from the original")]),
        ]
    )
    if made.candidates:
        rows = [
            [
                each.name,
                str(each.file_bytes),
                units.bits(each.bits_per_weight),
                f"{each.divergence.mean:.4g}",
            ]
            for each in made.candidates
        ]
        tables.show(_MIXES, rows)


def show_document(output: str, made: Quantized) -> None:
    """Writes the result as one JSON object to stdout."""
    divergence = made.divergence
    json_documents.show(
        "quantize",
        {
            "output": output,
            "container": made.container,
            "beside": [str(path) for path in made.beside],
            "formats": dict(made.formats),
            "weights": made.weights,
            "bits_per_weight": json_documents.bits(8 * made.nbytes / max(1, made.weights)),
            "bytes": made.nbytes,
            "file_bytes": made.file_bytes,
            "kld": None
            if divergence is None
            else {"mean": divergence.mean, "low": divergence.low, "high": divergence.high},
            "candidates": [
                {"name": each.name, "kind": each.kind, "file_bytes": each.file_bytes, "kld": each.divergence.mean}
                for each in made.candidates
            ],
            "notes": list(made.notes),
        },
    )
