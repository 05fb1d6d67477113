"""The kinds of formats that a new plugin can begin with."""

from __future__ import annotations

import attrs

from fourcc.errors import UsageError


@attrs.frozen
class Kind:
    """A format to begin with.

    Attributes:
        name: as on the command line; its template is ``NAME.py.txt``.
        summary: of the format.
        shows: what of the seam it uses.
        least: decibels between normal weights and their error, at least.
    """

    name: str
    summary: str
    shows: str
    least: int


KINDS = (
    Kind("fused", "4-bit codes, float16 scale for 64 along a row", "a formula for a block, and its error bound", 18),
    Kind("codebook", "4-bit codes of a book learnt for each matrix", "`prepare`, which learns from a whole matrix", 18),
    Kind("rotation", "4-bit codes of weights that a Hadamard matrix mixes", "`turn`, a linear map of activations", 18),
    Kind("sparse", "4-bit codes, the largest weights beside them", "`extra`, weights that are stored by place", 18),
    Kind("calibrated", "4-bit codes that cost least by importance", "`importance`, the weight of each error", 18),
)


def kind_named(name: str) -> Kind:
    """The kind of that name. Raises UsageError where there is none."""
    for kind in KINDS:
        if kind.name == name:
            return kind
    raise UsageError(f"no kind of format is called {name!r}", hint=f"There are: {', '.join(k.name for k in KINDS)}.")
