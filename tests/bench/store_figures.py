"""Stores the figures that `fourcc formats` gives advice by.

    python -m tests.bench.store_figures

Errors of all built-in formats with an encoder are measured here: they are the same on every machine. Speeds are those
of the table that `python -m tests.bench.measure_types --write` made, with its machine and versions.
"""

import json
import math
import re
from pathlib import Path

import fourcc.bench
from fourcc.bench.format_figures import FILE
from fourcc.format import Format
from fourcc.plugins.entries import OWN
from fourcc.plugins.registry import registry
from tests.formats.measure_sqnr import SHAPE, drawn, sqnr

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", ROOT / "specs" / "performance.md")  # one of them has the table
TABLE = re.compile(r"<!-- types: begin -->\n(.*?)<!-- types: end -->", re.DOTALL)
SPEED = "GEMV GB/s, 2 threads"
ERRORS = "SQNR of {} x {} normally distributed weights with each format's default settings"


def encodable() -> list[Format]:
    """The built-in formats that make codes of any real weights, without data of a calibration."""
    own = [registry[tag] for tag in registry if registry.entry(tag).distribution == OWN]
    return [fmt for fmt in own if fmt.real and fmt.encode is not None and not fmt.needs]


def decibels(tag: str, weights: str) -> float | None:
    """SQNR of weights of that distribution, rounded; None where nothing is lost."""
    found = sqnr(drawn()[weights], tag, {})
    return round(found, 2) if math.isfinite(found) else None


def speeds() -> tuple[str, dict[str, float]]:
    """The sentence above the table, and the rate of each type."""
    text = next(found[1] for page in PAGES if page.is_file() and (found := TABLE.search(page.read_text("utf-8"))))
    head, _, table = text.partition("\n\n")
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in table.strip().splitlines()]
    place = rows[0].index(SPEED)
    rates = {row[0]: row[place].split(" / ")[0] for row in rows[2:]}
    machine = next(line for line in head.splitlines() if "kernels;" in line)
    return machine.rstrip("."), {tag: float(rate) for tag, rate in rates.items() if rate[0].isdigit()}


def main() -> None:
    """Measures errors, reads speeds, and writes the file."""
    machine, rates = speeds()
    formats = {
        str(fmt.tag): {
            "sqnr_db": decibels(str(fmt.tag), "Gauss"),
            "heavy_sqnr_db": decibels(str(fmt.tag), "t5"),
            "gb_s": rates.get(str(fmt.tag)),
        }
        for fmt in sorted(encodable(), key=lambda fmt: str(fmt.tag))
    }
    document = {"errors": ERRORS.format(*SHAPE), "speeds": machine, "formats": formats}
    target = Path(fourcc.bench.__file__).with_name(FILE)
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
