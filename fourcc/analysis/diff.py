"""Comparing two checkpoints: what they say of themselves, their stored bytes, and their decoded weights.

The history of a file is not compared: its policy, its sources, the rules that chose its formats. A tensor whose format
is missing is compared by its bytes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import prod
from typing import Any

import attrs
import numpy as np

from fourcc.arrays import Array
from fourcc.container.index import PartRecord
from fourcc.errors import PluginError, shown
from fourcc.metrics import ErrorSums
from fourcc.progress import OnProgress, counter
from fourcc.records import Records
from fourcc.sources.source import Source, SourceTensor
from fourcc.tags import FourCC
from fourcc.tiles import tiles

FIELDS = (  # of a record
    *("name", "side", "identical", "same_bytes", "tag_a", "tag_b", "weights", "differing"),
    *("relative_rmse", "sqnr_db", "max_error", "changes", "undecoded"),
)


@attrs.frozen
class Change:
    """A property that differs; None where one of the two does not have it."""

    what: str
    a: object
    b: object


@attrs.frozen
class ValueDifference:
    """The difference of the decoded weights of B from those of A, which count as the original.

    Attributes:
        sums: error sums over the weights that are finite in both.
        differing: number of weights that differ; two NaN count as equal.
    """

    sums: ErrorSums = attrs.field(factory=ErrorSums)
    differing: int = 0

    def __add__(self, other: ValueDifference) -> ValueDifference:
        return ValueDifference(self.sums + other.sums, self.differing + other.differing)


@attrs.frozen
class TensorDifference:
    """The comparison of a tensor that both have.

    Attributes:
        name: its name.
        tags: its formats in A and in B.
        weights: number of weights in A.
        changes: shape, tag, parameters and encoder version, where they differ.
        same_bytes: whether the stored bytes are equal.
        values: None where the bytes are equal, the shapes differ, or a format is missing.
        undecoded: why the weights could not be compared, or None.
    """

    name: str
    tags: tuple[FourCC, FourCC]
    weights: int
    changes: tuple[Change, ...]
    same_bytes: bool
    values: ValueDifference | None = None
    undecoded: str | None = None

    @property
    def identical(self) -> bool:
        """Whether nothing differs."""
        return self.same_bytes and not self.changes


@attrs.frozen(repr=False)
class Difference(Records):
    """The difference of B from A.

    Attributes:
        changes: architecture, hyper-parameters and blobs, where they differ.
        only_a, only_b: names of tensors that the other one lacks.
        tensors: the tensors that both have, in A's order.
    """

    changes: tuple[Change, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    tensors: tuple[TensorDifference, ...]

    @property
    def identical(self) -> bool:
        """Whether nothing differs."""
        return not (self.changes or self.only_a or self.only_b) and all(tensor.identical for tensor in self.tensors)

    def __repr__(self) -> str:
        differ = sum(not each.identical for each in self.tensors) + len(self.only_a) + len(self.only_b)
        tensors = len(self.tensors) + len(self.only_a) + len(self.only_b)
        return f"<Difference: {differ} of {tensors} tensors differ, {len(self.changes)} other changes>"

    def records(self) -> list[dict[str, Any]]:
        """The tensors of both, in A's order, then those that only B has.

        Returns:
            For each tensor: ``name``; ``side`` (``both``, ``a`` or ``b``); ``identical``, ``same_bytes``, ``tag_a``,
            ``tag_b``, ``weights``; where weights were compared ``differing`` (their number), ``relative_rmse``,
            ``sqnr_db`` (infinite where there is no error) and ``max_error``; ``changes`` as text; ``undecoded``: why
            the weights could not be compared. None where something is not known.
        """
        alone = [(name, side) for side, names in (("a", self.only_a), ("b", self.only_b)) for name in names]
        nothing = dict.fromkeys(FIELDS)
        return [
            *map(_record, self.tensors),
            *({**nothing, "name": name, "side": side, "identical": False} for name, side in alone),
        ]

    def _repr_html_(self) -> str:
        """HTML for notebooks: what differs in the files, and the tensors that are not identical."""
        from fourcc.drawing import notebook

        rows = [record for record in self.records() if not record["identical"]]
        same = f"{sum(each.identical for each in self.tensors)} of {len(self.tensors)} are identical"
        said = {"identical": "yes" if self.identical else "no", "tensors": same}
        changes = {change.what: f"{shown(change.a)} in A, {shown(change.b)} in B" for change in self.changes}
        columns = ("name", "side", "tag_a", "tag_b", "differing", "sqnr_db", "relative_rmse", "max_error", "changes")
        table = notebook.short_table(rows, columns, caption="Tensors that differ")
        return notebook.output(notebook.known_facts({**said, **changes}), table)


def _record(each: TensorDifference) -> dict[str, Any]:
    """A tensor of both as a record of `Difference.records`."""
    values = each.values
    sums = None if values is None else values.sums
    return {
        "name": each.name,
        "side": "both",
        "identical": each.identical,
        "same_bytes": each.same_bytes,
        "tag_a": str(each.tags[0]),
        "tag_b": str(each.tags[1]),
        "weights": each.weights,
        "differing": None if values is None else values.differing,
        **{name: None if sums is None else getattr(sums, name) for name in ("relative_rmse", "sqnr_db", "max_error")},
        "changes": "; ".join(f"{each.what}: {shown(each.a)}, {shown(each.b)}" for each in each.changes) or None,
        "undecoded": each.undecoded,
    }


def compare(a: Source, b: Source, progress: OnProgress | None = None) -> Difference:
    """Compares two opened sources, tile by tile.

    Raises:
        InputError: bytes of one of them are damaged.
        OSError: one of them cannot be read.
    """
    for source in (a, b):
        source.refuse_unreadable()
    others = {tensor.name: tensor for tensor in b.tensors}
    pairs = [(tensor, others[tensor.name]) for tensor in a.tensors if tensor.name in others]
    names = {tensor.name for tensor, _ in pairs}
    count = counter(sum(prod(tensor.shape) for tensor, _ in pairs), progress)
    differences = []
    for pair in pairs:
        differences.append(_compare_tensors(*pair))
        count(differences[-1].name, differences[-1].weights)
    return Difference(
        changes=tuple(file_changes(a, b)),
        only_a=tuple(tensor.name for tensor in a.tensors if tensor.name not in names),
        only_b=tuple(tensor.name for tensor in b.tensors if tensor.name not in names),
        tensors=tuple(differences),
    )


def file_changes(a: Source, b: Source) -> Iterator[Change]:
    """The differences of what two sources say of themselves: architecture, hyper-parameters, blobs."""
    if a.architecture != b.architecture:
        yield Change("architecture", a.architecture, b.architecture)
    yield from _mapping_changes("hyper-parameter", a.hyper, b.hyper)
    sizes = [{name: f"{len(data)} bytes" for name, data in source.blobs.items()} for source in (a, b)]
    for change in _mapping_changes("blob", a.blobs, b.blobs):
        name = change.what.removeprefix("blob ")
        yield attrs.evolve(change, a=sizes[0].get(name), b=sizes[1].get(name))


def _mapping_changes(kind: str, a: Mapping[str, object], b: Mapping[str, object]) -> Iterator[Change]:
    for name in dict.fromkeys([*a, *b]):
        if (name in a, a.get(name)) != (name in b, b.get(name)):
            yield Change(f"{kind} {name}", a.get(name), b.get(name))


def _compare_tensors(a: SourceTensor, b: SourceTensor) -> TensorDifference:
    changes = tuple(_tensor_changes(a, b))
    base = TensorDifference(a.name, (a.tag, b.tag), prod(a.shape), changes, same_bytes=False)
    stored_alike = (a.tag, a.shape, dict(a.params)) == (b.tag, b.shape, dict(b.params))
    try:
        if stored_alike and _same_bytes(a, b):
            return attrs.evolve(base, same_bytes=True)
        return base if a.shape != b.shape else attrs.evolve(base, values=value_difference(a, b))
    except PluginError as error:
        return attrs.evolve(base, undecoded=str(error))


def _tensor_changes(a: SourceTensor, b: SourceTensor) -> Iterator[Change]:
    if a.shape != b.shape:
        yield Change("shape", a.shape, b.shape)
    if a.tag != b.tag:
        yield Change("tag", str(a.tag), str(b.tag))
        return
    if dict(a.params) != dict(b.params):
        yield Change("params", dict(a.params), dict(b.params))
    versions = [None if each.record is None else each.record.encoder_version for each in (a, b)]
    if None not in versions and versions[0] != versions[1]:
        yield Change("encoder version", *versions)


def _same_bytes(a: SourceTensor, b: SourceTensor) -> bool:
    """Whether two tensors of one format, shape and parameters have equal parts."""
    if a.record is None or b.record is None or a.copy is None or b.copy is None:
        pairs = zip(tiles(a), tiles(b), strict=True)
        return all(x.parts[name].tobytes() == y.parts[name].tobytes() for x, y in pairs for name in x.parts)
    if _layouts(a.record.parts) != _layouts(b.record.parts):
        return False
    pairs_of_parts = zip(a.record.parts, b.record.parts, strict=True)
    return all(x == y for one, other in pairs_of_parts for x, y in zip(a.copy(one), b.copy(other), strict=True))


def _layouts(parts: Iterable[PartRecord]) -> list[object]:
    return [(part.name, part.dtype, part.shape) for part in parts]


def value_difference(a: SourceTensor, b: SourceTensor) -> ValueDifference:
    """The difference of the weights of b from those of a, two tensors of one shape, tile by tile.

    Raises:
        PluginError: a format is missing or broken.
        InputError: bytes are damaged.
    """
    specs = a.format, b.format
    total = ValueDifference()
    for x, y in zip(tiles(a, specs[1]), tiles(b, specs[0]), strict=True):
        total += _difference_of(x.decode(), y.decode())
    return total


def _difference_of(a: Array, b: Array) -> ValueDifference:
    """The difference of one tile's weights, (rows, cols) each."""
    both = np.isfinite(a) & np.isfinite(b)
    equal = (a == b) | ((a != a) & (b != b))  # noqa: PLR0124 - only NaN differs from itself
    zero = np.float64(0)
    sums = ErrorSums.of(np.where(both, a, zero), np.where(both, b, zero))
    return ValueDifference(sums, int(equal.size - np.count_nonzero(equal)))
