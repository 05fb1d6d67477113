"""What every exporter gives: which blocks its files hold as they are, and where each tensor's bytes go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import attrs

from fourcc.sources.source import Source
from fourcc.spec import FormatSpec
from fourcc.transcode import Step

if TYPE_CHECKING:
    from fourcc.sources.source import SourceTensor


@attrs.frozen(eq=False)
class Layout:
    """A file, decided before anything is written.

    Attributes:
        steps: the tensors with the names that they have in the file, in the order in which they are worked on.
        places: tensor -> part -> offset of its first byte.
        head: the file's first bytes.
        nbytes: length of the file.
        beside: further files in its folder, name -> contents.
        notes: what is left out, or is not as one would think; for stderr.
    """

    steps: tuple[Step, ...]
    places: Mapping[str, Mapping[str, int]]
    head: bytes
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
        holds: (format, shape) -> whether a tensor's parts can be written as they are.
        lay_out: (source, steps that it holds) -> the file.
        instead: formats for what it does not hold, as ``--as`` takes them; empty: they must be given.
        check: refuses a source that it cannot be made of, before formats are looked at.
    """

    name: str
    summary: str
    suffix: str
    holds: Callable[[FormatSpec, tuple[int, ...]], bool]
    lay_out: Callable[[Source, tuple[Step, ...]], Layout]
    instead: str = ""
    check: Callable[[Source, tuple[SourceTensor, ...]], None] = lambda source, tensors: None  # noqa: ARG005
