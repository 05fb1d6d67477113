"""The measured figures of formats, read from the tables that scripts have written into pages."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import attrs

ERRORS = "specs/measured-formats.md"
SPEEDS = "specs/performance.md"
TYPES = re.compile(r"<!-- types: begin -->\n(.*?)<!-- types: end -->", re.DOTALL)
SPEED = "GEMV GB/s, 2 threads"
ROW = re.compile(r"^\| `(\S+)` \| (.*) \|$")
EXACT = "exact"  # in place of an infinite SQNR


@attrs.frozen
class Figures:
    """The figures of a format; None: not measured.

    Attributes:
        gauss, heavy: SQNR in dB on normal and on heavy-tailed weights; infinite where nothing is lost.
        divergence: KL divergence of a small model in nats a token.
        speed: stored bytes that a product with one activation reads on two threads, 10^9 a second.
    """

    gauss: float | None = None
    heavy: float | None = None
    divergence: float | None = None
    speed: float | None = None


def of(tag: str, root: Path) -> Figures:
    """The figures of a format."""
    errors, speeds = _tables(root)
    row, speed = errors.get(tag, {}), speeds.get(tag, {}).get(SPEED, "")
    return Figures(
        _decibels(row.get("SQNR Gauss, dB")),
        _decibels(row.get("SQNR t5, dB")),
        float(row["KL divergence"]) if row else None,
        float(speed.partition(" / ")[0]) if speed else None,
    )


def speeds_heading(root: Path) -> str:
    """The command, the machine and the versions of the measured speeds."""
    return _types(root).partition("\n|")[0].strip()


@cache
def _tables(root: Path) -> tuple[dict[str, dict[str, str]], dict[str, dict[str, str]]]:
    return rows((root / ERRORS).read_text(encoding="utf-8")), rows(_types(root))


def _types(root: Path) -> str:
    """The table of types with what stands above it.

    Raises:
        ValueError: the page does not have it.
    """
    found = TYPES.search((root / SPEEDS).read_text(encoding="utf-8"))
    if found is None:
        raise ValueError(f"{SPEEDS}: the table of types is gone")
    return found[1]


def rows(text: str) -> dict[str, dict[str, str]]:
    """Tag -> column -> cell, of the table whose rows begin with a tag in backticks."""
    lines = text.splitlines()
    found = {match[1]: match[2].split(" | ") for line in lines if (match := ROW.match(line))}
    first = next((number for number, line in enumerate(lines) if ROW.match(line)), 0)
    head = [cell.strip() for cell in lines[first - 2].strip("| ").split("|")][1:] if found else []
    return {tag: dict(zip(head, cells, strict=True)) for tag, cells in found.items()}


def _decibels(cell: str | None) -> float | None:
    if cell is None:
        return None
    return float("inf") if cell == EXACT else float(cell)
