"""Measured figures of the built-in formats, stored with the package: nothing is measured when they are shown.

`python -m tests.bench.store_figures` takes them from the pages that measuring scripts have written.
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
        divergence: KL divergence, in nats a token, of a small model from the original.
        gb_s: stored bytes that a product with one activation reads, 10^9 a second; None: not measured.
    """

    divergence: float
    gb_s: float | None


@attrs.frozen
class StoredFigures:
    """The figures of all formats.

    Attributes:
        divergences: what divergences are of.
        speeds: the machine, the kernels and the versions that products were timed with.
        formats: tag -> figures.
    """

    divergences: str
    speeds: str
    formats: dict[str, FormatFigures]


def stored_figures() -> StoredFigures:
    """The figures that the package has."""
    text = files("fourcc.bench").joinpath(FILE).read_text(encoding="utf-8")
    found = json.loads(text)
    formats = {tag: FormatFigures(**each) for tag, each in found["formats"].items()}
    return StoredFigures(found["divergences"], found["speeds"], formats)
