"""The output of `fourcc stats --suggest`: every format over all tensors, and the format that fits each tensor."""

from __future__ import annotations

from fractions import Fraction
from math import inf, prod
from pathlib import Path
from typing import TYPE_CHECKING

from fourcc.cli.render import json_documents, tables, terminal, units
from fourcc.cli.render.cell_styles import by_bits, by_decibels
from fourcc.cli.render.tables import Column

if TYPE_CHECKING:
    from fourcc.analysis.offers import Offer, Suggestion

EXACT = "exact"  # instead of an infinite ratio

FORMATS = (
    Column("tag"),
    Column("bits/weight", right=True, style=by_bits),
    Column("SQNR dB", right=True, style=by_decibels),
    Column("dB/bit", right=True),
    Column("to 6.02 dB/bit", right=True),
    Column("fits", right=True),
    Column("chosen", right=True),
)
ONE = (*FORMATS[:5], Column("chosen"), Column("why not", wraps=30))
TENSORS = (
    Column("tensor"),
    Column("shape", leave=2),
    Column("stored"),
    Column("suggested"),
    Column("bits/weight", right=True, style=by_bits),
    Column("SQNR dB", right=True, style=by_decibels),
    Column("to 6.02 dB/bit", right=True, leave=1),
)


def show(file: Path, suggestions: list[Suggestion], *, as_json: bool) -> None:
    """Writes suggestions to stdout."""
    if as_json:
        json_documents.show("stats", {"file": str(file), "tensors": None, "suggestion": _document(suggestions)})
        return
    tried = [each for each in suggestions if each.offers]
    if len(tried) == 1:
        tables.show(ONE, [_one(offer, tried[0].chosen) for offer in tried[0].offers])
    elif tried:
        exact = _formats(tried)
        if exact:
            tables.paragraph(f"nothing is lost in {exact}: tensors are stored so already, or in fewer bits")
        terminal.out("")
        tables.show(TENSORS, [_row(each) for each in tried])
    terminal.out("")
    for line in _summary(suggestions):
        tables.paragraph(line)


def _formats(tried: list[Suggestion]) -> str:
    """Writes the table of formats; returns in words those that lose nothing, and have no figures to compare."""
    from fourcc.analysis.offers import totals

    ordered = sorted(totals(tried), key=lambda each: (each.bits, -each.sqnr_db))
    lossy = [each for each in ordered if each.sqnr_db != inf]
    rows = [
        [*_figures(str(each.tag), each.bits, each.sqnr_db), str(each.tensors), str(each.chosen or "")] for each in lossy
    ]
    tables.show(FORMATS, rows)
    exact = [each for each in ordered if each.sqnr_db == inf]
    return ", ".join(f"{each.tag} (fits {each.tensors}, chosen {each.chosen})" for each in exact)


def _figures(tag: str, bits: Fraction, sqnr: float) -> list[str]:
    from fourcc.analysis.offers import DB_PER_BIT

    size = float(bits)
    if sqnr == inf:
        return [tag, units.bits(bits), EXACT, "-", "-"]
    return [tag, units.bits(bits), _db(sqnr), f"{sqnr / size:.2f}", f"{sqnr - DB_PER_BIT * size:+.1f}"]


def _one(offer: Offer, chosen: Offer | None) -> list[str]:
    if offer.sums is None:
        return [str(offer.tag), units.bits(offer.bits), "-", "-", "-", "", offer.reason or ""]
    mark = "chosen" if offer is chosen else ""
    return [*_figures(str(offer.tag), offer.bits, offer.sqnr_db), mark, ""]


def _row(each: Suggestion) -> list[str]:
    start = [each.name, units.shape(each.shape), str(each.stored[0])]
    if each.chosen is None:
        return [*start, "keep", units.bits(each.stored[1]), EXACT, "-"]
    figures = _figures(str(each.chosen.tag), each.chosen.bits, each.chosen.sqnr_db)
    return [*start, *figures[:3], figures[4]]


def _summary(suggestions: list[Suggestion]) -> list[str]:
    from fourcc.analysis.offers import together

    tried = [each for each in suggestions if each.offers]
    weights = sum(prod(each.shape) for each in suggestions)
    before, after = (
        sum((prod(each.shape) * bits for each, bits in pairs), Fraction(0)) / max(1, weights)
        for pairs in ([(each, each.stored[1]) for each in suggestions], [(each, each.bits) for each in suggestions])
    )
    lines = [f"{units.bits(before)} bits per weight become {units.bits(after)}"]
    chosen = [(each, each.chosen) for each in tried if each.chosen is not None]
    if chosen:
        lines[0] += f"; {_ratio(together(chosen)[1])} over what is changed"
    sampled, whole = sum(each.sampled for each in tried), sum(prod(each.shape) for each in tried)
    lines.append(f"tried on {sampled} of {whole} weights, with each format's default settings")
    kept = len(suggestions) - len(tried)
    if kept:
        lines.append(f"{kept} vectors and integer tensors are kept as they are stored")
    return lines


def _document(suggestions: list[Suggestion]) -> dict[str, object]:
    from fourcc.analysis.offers import totals

    return {
        "formats": [
            {
                "tag": str(each.tag),
                "bits_per_weight": json_documents.bits(each.bits),
                "sqnr_db": json_documents.number(each.sqnr_db),
                "gain_db": json_documents.number(each.gain_db),
                "tensors": each.tensors,
                "chosen": each.chosen,
            }
            for each in totals(suggestions)
        ],
        "tensors": [
            {
                "name": each.name,
                "shape": list(each.shape),
                "stored_tag": str(each.stored[0]),
                "stored_bits_per_weight": json_documents.bits(each.stored[1]),
                "sampled": each.sampled,
                "chosen": None if each.chosen is None else str(each.chosen.tag),
                "offers": [_offer(offer) for offer in each.offers],
            }
            for each in suggestions
        ],
    }


def _offer(offer: Offer) -> dict[str, object]:
    return {
        "tag": str(offer.tag),
        "params": offer.params,
        "options": offer.options,
        "bits_per_weight": json_documents.bits(offer.bits),
        "sqnr_db": None if offer.sums is None else json_documents.number(offer.sqnr_db),
        "gain_db": None if offer.sums is None else json_documents.number(offer.gain_db),
        "reason": offer.reason,
    }


def _ratio(value: float) -> str:
    return "no error" if value == inf else f"SQNR {_db(value)} dB"


def _db(value: float) -> str:
    return EXACT if value == inf else f"{value:.1f}"
