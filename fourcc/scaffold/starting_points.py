"""The formats that a new plugin can begin with, one of each kind."""

from __future__ import annotations

import attrs

from fourcc.errors import UsageError


@attrs.frozen
class StartingPoint:
    """A format to begin with.

    Attributes:
        name: as on the command line; its template is ``NAME.py.txt``.
        summary: of the format.
        shows: what of the seam it uses.
    """

    name: str
    summary: str
    shows: str


STARTING_POINTS = (
    StartingPoint(
        "fused", "4-bit codes, float16 scale for 64 along a row", "a formula for a block, and its error bound"
    ),
    StartingPoint(
        "codebook", "4-bit codes of a book learnt for each matrix", "`prepare`, which learns from a whole matrix"
    ),
    StartingPoint(
        "rotation", "4-bit codes of weights that a Hadamard matrix mixes", "`turn`, a linear map of activations"
    ),
    StartingPoint(
        "sparse", "4-bit codes, the largest weights beside them", "`extra`, weights that are stored by place"
    ),
    StartingPoint("calibrated", "4-bit codes that cost least by importance", "`importance`, the weight of each error"),
)


def starting_point(name: str) -> StartingPoint:
    """The format of that kind. Raises UsageError where there is none."""
    for each in STARTING_POINTS:
        if each.name == name:
            return each
    raise UsageError(
        f"no kind of format is called {name!r}", hint=f"There are: {', '.join(each.name for each in STARTING_POINTS)}."
    )
