"""The report of `fourcc plugin test`, as text and as a JSON object."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from fourcc.cli.render import json_documents, tables, terminal
from fourcc.cli.render.cell_styles import by_bits, by_decibels, by_word
from fourcc.cli.render.tables import Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fourcc.testing import Check, Finding, Measure, Outcome, Report

LABEL = 12  # characters of the longest label
WIDTH = 100  # columns of a line of findings where stdout is no terminal

SLOWER = 1.05  # times of a decoded product that are worth a word

CHECKS = (Column("check"), Column("of"), Column("seconds", right=True), Column("result", wraps=30, style=by_word))
PROMISES = (Column("check"), Column("of"), Column("promise", wraps=40))
MEASURES = (
    Column("tag"),
    Column("bits/weight", right=True, style=by_bits),
    Column("SQNR dB, normal", right=True, style=by_decibels),
    Column("Student's t", right=True),
    Column("encode M/s", right=True),
    Column("decode M/s", right=True),
    Column("multiply M/s", right=True),
    Column("products"),
    Column("of decoded, n = 1", right=True),
    Column("n = 32", right=True),
)


def show(report: Report) -> None:
    """Writes a report to stdout: the measures, a line for each check that was made, then the findings."""
    by = f" of {report.owner} ({report.target})" if report.owner else ""
    tables.paragraph(f"{report.tag}{by}")
    terminal.out("")
    if report.measures:
        _show_measures(report.measures)
        terminal.out("")
    tables.show(CHECKS, [_row(outcome) for outcome in report.outcomes if outcome.after is None])
    for root, names in _unmade(report).items():
        tables.paragraph(f"not made, since {root} failed: {', '.join(names)}")
    for outcome in report.outcomes:
        for finding in outcome.findings:
            _show_finding(outcome, finding)
    terminal.out("")
    tables.paragraph(_summary(report))


def show_checks(checks: Sequence[Check]) -> None:
    """Writes the checks with what they promise to stdout."""
    tables.show(PROMISES, [[check.name, check.theme, check.promise] for check in checks])


def _show_measures(measures: Sequence[Measure]) -> None:
    tables.show(MEASURES, [_measures(each) for each in measures])
    own = measures[0]
    count = f"{own.weights} weights; millions" if own.weights else "Millions"
    tables.paragraph(
        f"{count} of weights a second, one thread of this machine; the others are the built-in formats of about as "
        "many bits"
    )
    tables.paragraph("of decoded: time of a product with n activations divided by its time with weights decoded before")
    for each in measures:
        if each.trouble:
            tables.paragraph(f"{each.tag}: not measured: {each.trouble}")
    for n, ratio in zip((1, 32), own.against_decoded or (), strict=False):
        if ratio > SLOWER:
            text = f"{own.tag}: its {own.level} products are slower than products with decoded weights at n = {n}"
            tables.paragraph(f"{text}: they save memory, not time")


def _unmade(report: Report) -> dict[str, list[str]]:
    """The checks that were not made, by the failed check that is the reason."""
    names: dict[str, list[str]] = {}
    for outcome in report.outcomes:
        if outcome.after is not None:
            names.setdefault(outcome.after, []).append(outcome.check)
    return names


def _row(outcome: Outcome) -> list[str]:
    result = outcome.status if outcome.skipped is None else f"skipped: {outcome.skipped}"
    return [outcome.check, outcome.theme, f"{outcome.seconds:.1f}", result]


def _show_finding(outcome: Outcome, finding: Finding) -> None:
    """Writes a finding, its fields wrapped behind their labels."""
    terminal.out("")
    tables.facts([(label.ljust(LABEL), text) for label, text in [("check", outcome.check), *finding.lines]], WIDTH)


def _measures(each: Measure) -> list[str]:
    return [
        each.tag,
        f"{each.bits_per_weight:.4g}",
        _number(each.sqnr_gauss, ".2f"),
        _number(each.sqnr_heavy, ".2f"),
        _number(each.encode, ".3g"),
        _number(each.decode, ".3g"),
        _number(each.multiply, ".3g"),
        each.level or "-",
        *(_number(ratio, ".2f") for ratio in each.against_decoded or (None, None)),
    ]


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else f"{value:{form}}"


def _summary(report: Report) -> str:
    counts = Counter("not made" if outcome.after is not None else outcome.status for outcome in report.outcomes)
    order = ("passed", "noted", "skipped", "not made", "failed")
    told = ", ".join(f"{counts[status]} {status}" for status in order if counts[status])
    return f"{report.tag}: {len(report.outcomes)} checks: {told}"


def document(report: Report) -> dict[str, object]:
    """The report as a JSON object."""
    return {
        "tag": report.tag,
        "provider": report.owner,
        "target": report.target,
        "passed": report.passed,
        "checks": [
            {
                "check": outcome.check,
                "theme": outcome.theme,
                "status": outcome.status,
                "skipped": outcome.skipped,
                "after": outcome.after,
                "seconds": outcome.seconds,
                "findings": [attrs.asdict(finding) for finding in outcome.findings],
            }
            for outcome in report.outcomes
        ],
        "measures": [_measure_document(each) for each in report.measures],
    }


def check_document(check: Check) -> dict[str, object]:
    """A check as a JSON object."""
    return {
        "check": check.name,
        "theme": check.theme,
        "promise": check.promise,
        "slow": check.slow,
        "ground": list(check.ground),
    }


def _measure_document(each: Measure) -> dict[str, object]:
    return {
        name: json_documents.number(value) if isinstance(value, float) else value
        for name, value in attrs.asdict(each).items()
    }
