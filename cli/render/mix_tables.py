"""A mix that was allocated, beside the mixes that people would use without it, and the frontier."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from fourcc.calibration.frontier import point_within
from fourcc.cli.render import json_documents, tables, terminal, units
from fourcc.cli.render.cell_styles import by_bits
from fourcc.cli.render.tables import Column
from fourcc.sources.tokenizer import BLOBS

if TYPE_CHECKING:
    from fourcc.calibration.allocation import Allocation
    from fourcc.calibration.fitting import FittedMix, Rival
    from fourcc.conversion.plan import Plan

COMPARED = (
    Column("mix"),
    Column("file bytes", right=True),
    Column("bits/weight", right=True, style=by_bits),
    Column("predicted KLD", right=True),
    Column("ratio", right=True),
)
FRONTIER = (
    Column("mix"),
    Column("tensor bytes", right=True),
    Column("bits/weight", right=True, style=by_bits),
    Column("predicted KLD", right=True),
    Column("of best mix", right=True),
    Column("ratio", right=True),
)
RATIO = "KLD in nats a token; ratio: the KLD of {} by this one's"
FITS = "a recipe or a single format fits if it is within the budget, and all its formats are among the options"
PER_BIT = 4  # rows of the frontier for each bit a weight


def show(mix: FittedMix, output: Path | None, *, listed: bool) -> None:
    """Writes a summary to stdout; `listed`: and the frontier."""
    tables.facts(list(_facts(mix, output)))
    terminal.out("")
    rows = [["allocated", *_measures(mix.plan, mix.allocation), ""]]
    for kind, rival in (("single format", mix.uniform), ("recipe", mix.recipe)):
        if rival is None:
            rows.append([f"no {kind} fits", *[""] * 4])
        else:
            ratio = _ratio(mix.allocation.kld, rival.mix.allocation.kld)
            rows.append([f"best {kind}: {rival.mix.name}", *_measures(rival.plan, rival.mix.allocation), ratio])
    tables.show(COMPARED, rows)
    terminal.out("")
    tables.paragraph(RATIO.format("the allocated mix"))
    if mix.uniform is None or mix.recipe is None:
        tables.paragraph(FITS)
    if listed:
        terminal.out("")
        tables.show(FRONTIER, list(_frontier_rows(mix)))
        terminal.out("")
        tables.paragraph(RATIO.format("the best mix of at most as many bytes"))


def _facts(mix: FittedMix, output: Path | None) -> Iterator[tuple[str, str]]:
    plan, seconds = mix.plan, mix.allocation.seconds
    what = "of all tensors" if mix.budget.unit == "bpw" else "of the file"
    yield "budget", f"{mix.budget.text}: {mix.limit} bytes {what}, {mix.left_over} left over"
    yield "policy", "not written: no -o" if output is None else str(output)
    yield "tensors", units.counted(Counter(str(step.decision.tag) for step in plan.steps))
    bare = "" if BLOBS & plan.blobs.keys() else ", without a tokenizer"
    yield "file", units.plain_bytes(plan.file_bytes) + bare
    yield "bits per weight", units.bits(8 * plan.nbytes / max(1, plan.weights))
    yield "predicted KLD", f"{mix.allocation.kld:.4g} nats a token"
    if seconds:
        yield "products", f"{1 / seconds:.4g} tokens a second, by themselves"


def _measures(plan: Plan, allocation: Allocation) -> list[str]:
    bits = units.bits(8 * plan.nbytes / max(1, plan.weights))
    return [str(plan.file_bytes), bits, f"{allocation.kld:.4g}"]


def _ratio(ours: float, theirs: float) -> str:
    return f"{ours / theirs:.2f}" if theirs else "-"


def _frontier_rows(mix: FittedMix) -> Iterator[list[str]]:
    """Rows by bytes: the frontier at each quarter of a bit, and every named mix beside the frontier at its bytes."""
    weights, points = max(1, mix.plan.weights), mix.points
    per_row = weights / 8 / PER_BIT
    marks = range(ceil(points[0].nbytes / per_row), ceil(points[-1].nbytes / per_row) + 1)
    places = {point.nbytes: point for mark in marks if (point := point_within(points, int(mark * per_row)))}
    rows = [
        (point.nbytes, ["best mix", *_sizes(point.nbytes, weights), f"{point.kld:.4g}", "", ""])
        for point in places.values()
    ]
    for named in mix.named:
        nbytes, kld = named.allocation.nbytes + mix.other_bytes, named.allocation.kld
        point = point_within(points, nbytes)
        beside = ["", ""] if point is None else [f"{point.kld:.4g}", _ratio(point.kld, kld)]
        name = f"{'recipe ' * (named.kind == 'recipe')}{named.name}"
        rows.append((nbytes, [name, *_sizes(nbytes, weights), f"{kld:.4g}", *beside]))
    yield from (row for _, row in sorted(rows, key=lambda each: each[0]))


def _sizes(nbytes: int, weights: int) -> list[str]:
    return [str(nbytes), units.bits(8 * nbytes / weights)]


def show_document(mix: FittedMix, output: Path | None, *, listed: bool) -> None:
    """Writes the mix as one JSON object to stdout; `listed`: with the frontier."""
    seconds = mix.allocation.seconds
    json_documents.show(
        "allocate",
        {
            "output": None if output is None else str(output),
            "budget": {"text": mix.budget.text, "unit": mix.budget.unit, "bytes": mix.limit},
            "left_over": mix.left_over,
            **_result(mix.plan, mix.allocation),
            "formats": dict(Counter(str(step.decision.tag) for step in mix.plan.steps)),
            "tokens_per_second": 1 / seconds if seconds else None,
            "units": _units(mix.allocation),
            "uniform": _rival(mix.uniform),
            "recipe": _rival(mix.recipe),
            "frontier": _frontier(mix) if listed else None,
        },
    )


def _result(plan: Plan, allocation: Allocation) -> dict[str, object]:
    return {
        "file_bytes": plan.file_bytes,
        "bytes": plan.nbytes,
        "bits_per_weight": json_documents.bits(8 * plan.nbytes / max(1, plan.weights)),
        "kld": allocation.kld,
    }


def _units(allocation: Allocation) -> list[dict[str, object]]:
    return [
        {
            "name": unit.name,
            "tag": str(option.tag),
            "params": dict(option.params),
            "options": dict(option.options),
            "bytes": option.nbytes,
            "kld": option.kld,
        }
        for unit, option in zip(allocation.units, allocation.chosen, strict=True)
    ]


def _rival(rival: Rival | None) -> dict[str, object] | None:
    return None if rival is None else {"name": rival.mix.name, **_result(rival.plan, rival.mix.allocation)}


def _frontier(mix: FittedMix) -> dict[str, object]:
    return {
        "points": [
            {
                "bytes": point.nbytes,
                "kld": point.kld,
                "unit": None if point.unit is None else point.unit.name,
                "tag": None if point.option is None else str(point.option.tag),
            }
            for point in mix.points
        ],
        "named": [
            {
                "name": named.name,
                "kind": named.kind,
                "bytes": named.allocation.nbytes + mix.other_bytes,
                "kld": named.allocation.kld,
            }
            for named in mix.named
        ],
    }
