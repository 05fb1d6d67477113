"""The result of a conversion to a budget: what it came to, beside what one format or a recipe would have come to."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from fourcc.cli.render import json_documents, tables, terminal, units
from fourcc.cli.render.cell_styles import by_bits
from fourcc.cli.render.tables import Column

if TYPE_CHECKING:
    from fourcc.calibration.to_budget import MeasuredConversion, ToBudget

COMPARED = (
    Column("within the budget"),
    Column("file bytes", right=True),
    Column("bits/weight", right=True, style=by_bits),
    Column("predicted KLD", right=True),
    Column("measured KLD", right=True),
    Column("95 %", right=True),
)
WORDS = {"mix": "allocated mix", "uniform": "best single format:", "recipe": "best recipe:"}


def show(output: Path, made: ToBudget) -> None:
    """Writes a summary to stdout."""
    result, mix = made.result, made.mix
    spent = mix.limit - (result.index.nbytes if mix.budget.unit == "bpw" else made.kept.file_bytes)
    what = "of all tensors" if mix.budget.unit == "bpw" else "of the file"
    tables.facts(
        [
            ("output", str(output)),
            ("id", result.digest.hex()),
            ("budget", f"{mix.budget.text}: {mix.limit} bytes {what}, {spent} left over"),
            ("tensors", units.counted(Counter(str(tensor.tag) for tensor in result.index.tensors))),
            ("bits per weight", units.bits(result.index.bits_per_weight)),
            ("bytes", units.plain_bytes(made.kept.file_bytes)),
            ("feedback", "none" if made.costs.feedback is None else units.settings(made.costs.feedback)),
            ("written", _name(made.kept)),
        ]
    )
    terminal.out("")
    tables.show(COMPARED, [_row(each) for each in made.candidates])
    terminal.out("")
    cut = "document by document" if made.costs.documents else f"in windows of {made.costs.context} tokens"
    measured = f"{made.costs.tokens} tokens of the text's end, {cut}"
    tables.paragraph(f"KLD: divergence from the original in nats a token; on {measured}")
    if made.kept.kind != "mix":
        tables.paragraph(f"the allocated mix measured worse than {_name(made.kept)}, so that was written")


def _name(candidate: MeasuredConversion) -> str:
    word = WORDS[candidate.kind]
    return word if candidate.kind == "mix" else f"{word} {candidate.name}"


def _row(candidate: MeasuredConversion) -> list[str]:
    divergence = candidate.divergence
    bounds = "-" if divergence.low is None else f"{divergence.low:.3g} to {divergence.high:.3g}"
    return [
        _name(candidate),
        str(candidate.file_bytes),
        units.bits(candidate.bits_per_weight),
        f"{candidate.predicted:.4g}",
        f"{divergence.mean:.4g}",
        bounds,
    ]


def show_document(output: Path, made: ToBudget) -> None:
    """Writes the result as one JSON object to stdout."""
    index = made.result.index
    json_documents.show(
        "convert --budget",
        {
            "output": str(output),
            "id": made.result.digest.hex(),
            "budget": {"text": made.mix.budget.text, "unit": made.mix.budget.unit, "bytes": made.mix.limit},
            "formats": dict(Counter(str(tensor.tag) for tensor in index.tensors)),
            "bits_per_weight": json_documents.bits(index.bits_per_weight),
            "file_bytes": made.kept.file_bytes,
            "tokens": made.costs.tokens,
            "kept": _document(made.kept),
            "candidates": [_document(each) for each in made.candidates],
            "notes": list(made.result.notes),
        },
    )


def _document(candidate: MeasuredConversion) -> dict[str, object]:
    divergence = candidate.divergence
    return {
        "name": candidate.name,
        "kind": candidate.kind,
        "predicted_kld": candidate.predicted,
        "kld": {"mean": divergence.mean, "low": divergence.low, "high": divergence.high},
        "file_bytes": candidate.file_bytes,
        "bits_per_weight": json_documents.bits(candidate.bits_per_weight),
    }
