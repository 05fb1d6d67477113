"""The result of every exporter: which blocks its files hold as they are, and where each tensor's bytes go."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod

import attrs

from fourcc.arrays import Array, Parts
from fourcc.container.index import ErrorRecord
from fourcc.conversion.pipeline import Step
from fourcc.format import Format
from fourcc.policy import Policy, TensorInfo
from fourcc.settings import Params
from fourcc.sources.source import Source

PACKING = 8  # bytes for a weight, while codes are put into another order
Errors = Mapping[str, ErrorRecord]  # of the tensors that were encoded, by their names in the file
Pack = Callable[
    [Parts], Mapping[str, Array]
]  # a whole matrix's stored parts -> name of a part in the file -> its bytes


@attrs.frozen(eq=False)
class Layout:
    """The layout of a file, decided before anything is written.

    Attributes:
        steps: the tensors by their names in the file, in the order of the work.
        places: tensor -> part -> offset of its first byte.
        pieces: the bytes that belong to no tensor, at least the head: offset -> bytes.
        nbytes: length of the file; bytes that nothing covers are zero.
        beside: further files in its folder, name -> contents.
        notes: for stderr: what is left out, or may surprise.
        shards: the files that the bytes are cut into, where they are: name -> offset of its first byte. They lie in the
            folder that is the output, or beside it.
        packed: tensor -> what makes its parts in the file, whose places are in `places`, of those that it is stored in;
            all others are written as they are stored.
        late: further files beside it that tell what was done: name -> the contents, made of the measured errors.
    """

    steps: tuple[Step, ...]
    places: Mapping[str, Mapping[str, int]]
    pieces: Mapping[int, bytes]
    nbytes: int
    beside: Mapping[str, bytes] = attrs.field(factory=dict)
    notes: tuple[str, ...] = ()
    shards: Mapping[str, int] = attrs.field(factory=dict)
    packed: Mapping[str, Pack] = attrs.field(factory=dict)
    late: Mapping[str, Callable[[Errors], bytes]] = attrs.field(factory=dict)

    @property
    def gathered(self) -> dict[str, int]:
        """Tensor -> bytes of it that are in memory together before its parts in the file are made of them."""
        return {
            step.source.name: step.decision.nbytes + PACKING * prod(step.source.shape)
            for step in self.steps
            if step.source.name in self.packed
        }


@attrs.frozen
class FileCut:
    """How an export is cut into files that lie beside each other.

    Attributes:
        stem: the part of their names before the number.
        largest: bytes of tensors in one file, at least 1.
    """

    stem: str
    largest: int


@attrs.frozen(eq=False)
class ExportKind:
    """A kind of file that models are exported to.

    Attributes:
        name: as ``--to`` takes it; of a plugin's also the entry point's name.
        summary: one line for people.
        suffix: the suffix of file names that asks for it; empty where the name does not tell.
        holds: (format, parameters, shape) -> whether a tensor's parts can be written as they are.
        lay_out: (source, steps that it holds) -> the layout of the file.
        check: (source, steps) refuses a model that it cannot be made of, before formats are looked at.
        decodes: whether tensors that it cannot hold become decoded float32 without `--as`, which loses nothing.
        replacement: (source, steps, group size or None) -> the policy for tensors that it cannot hold, without `--as`.
        folder: whether the output is a folder.
        blocks: (source, tensor) -> whether it may hold this tensor in blocks; else it holds plain numbers only.
        lay_out_cut: lays out several files, as `lay_out` one; None: the output is always one file, or a folder.
    """

    name: str
    summary: str
    suffix: str
    holds: Callable[[Format, Params, tuple[int, ...]], bool]
    lay_out: Callable[[Source, tuple[Step, ...]], Layout]
    check: Callable[[Source, tuple[Step, ...]], None] = lambda source, steps: None  # noqa: ARG005 - no check
    decodes: bool = False
    replacement: Callable[[Source, tuple[Step, ...], int | None], Policy] | None = None
    folder: bool = False
    blocks: Callable[[Source, TensorInfo], bool] = lambda source, tensor: True  # noqa: ARG005 - any tensor
    lay_out_cut: Callable[[Source, tuple[Step, ...], FileCut], Layout] | None = None
