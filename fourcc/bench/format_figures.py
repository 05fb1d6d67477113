"""Measured figures of the built-in formats, stored with the package: nothing is measured when they are shown.

`python -m tests.bench.store_figures` makes the file again.
"""

from __future__ import annotations

import json
from importlib.resources import files

import attrs

FILE = "format_figures.json"


@attrs.frozen
class FormatFigures:
    """Figures of a format with its default settings.

    Attributes:
        sqnr_db: SQNR of normally distributed weights, in dB; None: nothing is lost.
        heavy_sqnr_db: SQNR of weights with heavy tails (Student's t with 5 degrees of freedom), in dB; None likewise.
        gb_s: stored 10^9 bytes a second by a product with one activation; None: not measured.
    """

    sqnr_db: float | None
    heavy_sqnr_db: float | None
    gb_s: float | None


@attrs.frozen
class StoredFigures:
    """The figures of all formats.

    Attributes:
        errors: a sentence that says how errors were measured.
        speeds: a sentence that says how, and on which machine, products were timed.
        formats: tag -> figures.
    """

    errors: str
    speeds: str
    formats: dict[str, FormatFigures]


def stored_figures() -> StoredFigures:
    """The figures that the package has."""
    text = files("fourcc.bench").joinpath(FILE).read_text(encoding="utf-8")
    found = json.loads(text)
    formats = {tag: FormatFigures(**each) for tag, each in found["formats"].items()}
    return StoredFigures(found["errors"], found["speeds"], formats)
