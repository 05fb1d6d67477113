"""What every exporter gives: which blocks its files hold as they are, and where each tensor's bytes go."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from fourcc.conversion.pipeline import Step
from fourcc.policy import Policy
from fourcc.sources.source import Source
from fourcc.spec import FormatSpec, Params


@attrs.frozen(eq=False)
class Layout:
    """A file, decided before anything is written.

    Attributes:
        steps: the tensors with the names that they have in the file, in the order in which they are worked on.
        places: tensor -> part -> offset of its first byte.
        pieces: what is no tensor: offset -> bytes; the head, at least.
        nbytes: length of the file; what nothing covers is zero.
        beside: further files in its folder, name -> contents.
        notes: what is left out, or is not as one would think; for stderr.
    """

    steps: tuple[Step, ...]
    places: Mapping[str, Mapping[str, int]]
    pieces: Mapping[int, bytes]
    nbytes: int
    beside: Mapping[str, bytes] = attrs.field(factory=dict)
    notes: tuple[str, ...] = ()


@attrs.frozen(eq=False)
class Kind:
    """A kind of file that models are exported to.

    Attributes:
        name: as ``--to`` takes it.
        summary: one line for people.
        suffix: of file names that ask for it; empty where the name does not tell.
        holds: (format, parameters, shape) -> whether a tensor's parts can be written as they are.
        lay_out: (source, steps that it holds) -> the file.
        check: (source, steps) refuses what it cannot be made of, before formats are looked at.
        decodes: whether what it does not hold becomes decoded float32 without being asked, which loses nothing.
        replacement: (source, steps, group size or None) -> the policy for what it does not hold, where nobody said it.
    """

    name: str
    summary: str
    suffix: str
    holds: Callable[[FormatSpec, Params, tuple[int, ...]], bool]
    lay_out: Callable[[Source, tuple[Step, ...]], Layout]
    check: Callable[[Source, tuple[Step, ...]], None] = lambda source, steps: None  # noqa: ARG005
    decodes: bool = False
    replacement: Callable[[Source, tuple[Step, ...], int | None], Policy] | None = None
