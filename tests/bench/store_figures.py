"""Stores the figures that `fourcc formats` gives advice by.

    python -m tests.bench.store_figures

They come from the pages that `tests.lanes.measured_formats` and `tests.bench.measure_types` have written, with the
protocol of the one and the machine and versions of the other.
"""

import json
import re
from pathlib import Path

import fourcc.bench
from fourcc.bench.format_figures import FILE
from specs.site import measured

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(fourcc.bench.__file__).with_name(FILE)
PROTOCOL = re.compile(r"KL divergence: (.*?)\. ", re.DOTALL)  # the sentence on the page of errors
MACHINE = re.compile(r"^.* kernels; .*$", re.MULTILINE)  # the line above the table of types


def document() -> str:
    """The file's text."""
    page = (ROOT / measured.ERRORS).read_text(encoding="utf-8")
    protocol, machine = PROTOCOL.search(page), MACHINE.search(measured.speeds_heading(ROOT))
    if protocol is None or machine is None:
        raise ValueError("the pages do not say how they were measured")
    figures = {tag: measured.of(tag, ROOT) for tag in sorted(measured.rows(page))}
    told = {
        "divergences": " ".join(protocol[1].replace("`", "").split()),
        "speeds": machine[0].rstrip("."),
        "formats": {tag: {"divergence": each.divergence, "gb_s": each.speed} for tag, each in figures.items()},
    }
    return json.dumps(told, indent=1) + "\n"


if __name__ == "__main__":
    TARGET.write_text(document(), encoding="utf-8")
