"""The report of `fourcc plugin test`, as text and as a JSON object."""

from __future__ import annotations

import sys
import textwrap
from collections import Counter
from typing import TYPE_CHECKING

import attrs

from fourcc.cli.render import json_documents, tables, terminal
from fourcc.cli.render.tables import Column

if TYPE_CHECKING:
    from fourcc.testing import Finding, Measure, Outcome, Report

WIDTH = 100  # characters of a line of findings, unless a terminal says otherwise
LABEL = 14  # characters of the longest label, and two spaces

CHECKS = (Column("check"), Column("of"), Column("seconds", right=True), Column("result"))
MEASURES = (
    Column("tag"),
    Column("bits/weight", right=True),
    Column("SQNR dB, normal", right=True),
    Column("Student's t", right=True),
    Column("encode M/s", right=True),
    Column("decode M/s", right=True),
    Column("multiply M/s", right=True),
    Column("products"),
)


def show(report: Report) -> None:
    """Writes a report to stdout: a line for each check, then the findings, then the measures."""
    by = f" of {report.owner} ({report.target})" if report.owner else ""
    terminal.out(terminal.safe(f"{report.tag}{by}"))
    terminal.out("")
    tables.show(CHECKS, [_row(outcome) for outcome in report.outcomes])
    for outcome in report.outcomes:
        for finding in outcome.findings:
            _show_finding(outcome, finding)
    if report.measures:
        terminal.out("")
        tables.show(MEASURES, [_measures(each) for each in report.measures])
        terminal.out(
            f"{report.measures[0].weights} weights; millions of weights a second, one thread of this machine; the "
            "others are the built-in formats of about as many bits"
        )
    terminal.out("")
    terminal.out(_summary(report))


def _row(outcome: Outcome) -> list[str]:
    result = outcome.status if outcome.skipped is None else f"skipped: {outcome.skipped}"
    return [outcome.check, outcome.theme, f"{outcome.seconds:.1f}", result]


def _show_finding(outcome: Outcome, finding: Finding) -> None:
    """Writes a finding, its fields wrapped behind their labels."""
    terminal.out("")
    wide = min(WIDTH, terminal.width(sys.stdout)) if terminal.on_terminal(sys.stdout) else WIDTH
    for label, text in [("check", outcome.check), *finding.lines]:
        body = textwrap.wrap(terminal.safe(text), max(20, wide - LABEL)) or [""]
        terminal.out(f"{label.ljust(LABEL)}{body[0]}")
        for line in body[1:]:
            terminal.out(f"{'':{LABEL}}{line}")


def _measures(each: Measure) -> list[str]:
    return [
        each.tag,
        f"{each.bits_per_weight:.4g}",
        f"{each.sqnr_gauss:.2f}",
        f"{each.sqnr_heavy:.2f}",
        f"{each.encode:.3g}",
        f"{each.decode:.3g}",
        f"{each.multiply:.3g}",
        each.level,
    ]


def _summary(report: Report) -> str:
    counts = Counter(outcome.status for outcome in report.outcomes)
    told = ", ".join(
        f"{counts[status]} {status}" for status in ("passed", "noted", "skipped", "failed") if counts[status]
    )
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
                "seconds": outcome.seconds,
                "findings": [attrs.asdict(finding) for finding in outcome.findings],
            }
            for outcome in report.outcomes
        ],
        "measures": [_measure_document(each) for each in report.measures],
    }


def _measure_document(each: Measure) -> dict[str, object]:
    measures = attrs.asdict(each)
    numbers = ("bits_per_weight", "sqnr_gauss", "sqnr_heavy", "encode", "decode", "multiply")
    return {**measures, **{name: json_documents.number(measures[name]) for name in numbers}}
