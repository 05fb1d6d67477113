"""Rates that were measured on another machine and are shipped; nothing is measured when they are read.

`python -m tests.bench.store_rates` measures them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import attrs

FILE = "shipped_rates.json"


@attrs.frozen
class ShippedRates:
    """The rates, of one thread.

    Attributes:
        machine: that they were measured on, and the versions.
        yardstick: seconds of `fourcc.rates.yardstick.processor_seconds` there.
        digest: bytes a second of a file's digest.
        nanoseconds: of processor time for a weight, by kind of work: ``encode Q4_K``, ``decode BF16``.
        gemv: 10^9 stored bytes a second in products with one activation, by tag.
        gemm: 10^9 operations a second in products with many activations, by tag.
    """

    machine: str
    yardstick: float
    digest: float
    nanoseconds: Mapping[str, float]
    gemv: Mapping[str, float]
    gemm: Mapping[str, float]


@cache
def shipped_rates() -> ShippedRates:
    """The rates that the package has."""
    found = json.loads(files("fourcc.rates").joinpath(FILE).read_text(encoding="utf-8"))
    return ShippedRates(**found)
