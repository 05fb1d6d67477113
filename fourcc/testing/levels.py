"""Checks of what a format says of its codes: that they can be put back, and what they would decode to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from fourcc.arrays import Array, Parts
from fourcc.feedback.way import SAME
from fourcc.format import Format
from fourcc.geometry import Geometry
from fourcc.testing.finding import Finding, attempt
from fourcc.testing.subject import Subject
from fourcc.testing.weights import bell

SHAPES = 4  # shapes that are tried


def put_back(subject: Subject) -> Iterator[Finding]:
    """`with_codes` with the stored codes gives the same bytes; levels of its own `grid` are what is decoded."""
    fmt = subject.format
    assert fmt.codes is not None
    assert fmt.with_codes is not None
    for shape in subject.matrices()[:SHAPES]:
        parts, geom = subject.encode(bell(shape)).parts, Geometry(*shape, subject.params)
        codes = attempt(partial(fmt.codes, parts, geom), tried=f"codes of {shape} weights")
        tried = f"with_codes of {shape} weights, with their own codes"
        back = attempt(partial(fmt.with_codes, parts, codes, geom), tried=tried)
        other = [name for name, part in parts.items() if not _same(back, name, part.tobytes())]
        if other:
            advice = "Copy the parts, and change the codes alone: `Format.repacked` does it for parts of weights."
            yield Finding(what=f"part {other[0]!r} differs", tried=tried, expected="the same bytes", advice=advice)
        elif fmt.grid is not None and not fmt.finds_levels:
            yield from _levels(fmt, parts, codes, geom)


def _same(parts: Parts, name: str, data: bytes) -> bool:
    return name in parts and np.asarray(parts[name]).tobytes() == data


def _levels(fmt: Format, parts: Parts, codes: Array, geom: Geometry) -> Iterator[Finding]:
    assert fmt.grid is not None
    tried = f"grid of {geom.rows} x {geom.cols} weights"
    grid = attempt(partial(fmt.grid, parts, geom), tried=tried)
    decoded = fmt.decode_blocks(parts, geom)
    off = np.abs(grid.at(codes) - decoded)
    if not (off <= SAME * np.abs(decoded).max(initial=0)).all():
        row, col = np.argwhere(off > SAME * np.abs(decoded).max())[0]
        found = f"row {row}, column {col}: code {codes[row, col]}, decoded {decoded[row, col]}"
        yield Finding(
            what="the level of a code is not what it decodes to",
            tried=tried,
            found=found,
            expected=f"level {grid.at(codes)[row, col]:g}",
            advice="Leave `grid` out: it is found by decoding.",
        )
