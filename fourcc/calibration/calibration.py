"""A calibration: what is known of the inputs of a model's matrices, and how it becomes aids of its encoders."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.calibration.imatrix import own_name
from fourcc.calibration.model_digest import DIGEST_BYTES, model_digest
from fourcc.calibration.ranges import static_ranges
from fourcc.errors import InputError, UsageError, listed
from fourcc.files.mapped import runs_of_rows
from fourcc.format import Aids
from fourcc.geometry import split_shape

if TYPE_CHECKING:
    from fourcc.arrays import Floats
    from fourcc.calibration.statistics import InputStatistics
    from fourcc.sources.source import Source, SourceTensor

SHOWN = 6  # names in a note
CLOSE = 1e-3  # relative: how far a Hessian's diagonal may be from the mean squares


@attrs.frozen
class CalibrationText:
    """A text that a calibration was made from.

    Attributes:
        name: of its file, without folders; as a foreign file says it.
        digest: SHA-256 of its bytes, in hex; None where it is not known.
    """

    name: str
    digest: str | None = None


@attrs.frozen(eq=False, repr=False)
class Calibration:
    """An opened calibration file.

    Attributes:
        path: of the file.
        kind: for people: ``fourcc``, ``imatrix GGUF``, ``imatrix .dat``.
        model: the digest of the model, see `model_digest`; None where the file does not say.
        texts: what it was made from.
        tokens: how many tokens the model has read; None where the file does not say.
        context: tokens of the longest window; None where the file does not say.
        statistics: matrix -> statistics of its inputs, by fourcc's names.
    """

    path: Path
    kind: str
    model: str | None
    texts: tuple[CalibrationText, ...]
    tokens: int | None
    context: int | None
    statistics: Mapping[str, InputStatistics]
    _hessians: Mapping[str, Callable[[], Floats]] = attrs.field(factory=dict, alias="hessians")

    def __repr__(self) -> str:
        return f"<Calibration {self.path}: {self.kind}, {len(self.statistics)} matrices, {self.tokens} tokens>"

    @cached_property
    def digest(self) -> str:
        """BLAKE2b-128 of the file, in hex. Raises OSError where it cannot be read any more."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=DIGEST_BYTES)).hexdigest()

    @property
    def hessians(self) -> frozenset[str]:
        """The matrices that it has a Hessian for."""
        return frozenset(self._hessians)

    def of(self, name: str) -> InputStatistics | None:
        """The statistics of a tensor by its name; None where there are none.

        A model of an architecture that is not known here keeps its file's names, the calibration's are fourcc's.
        """
        return self.statistics.get(name) or self.statistics.get(own_name(name))

    def hessian(self, name: str) -> Floats | None:
        """E[x x^T] of the inputs of a matrix, float32 (cols, cols), mapped from the file; None where it has none.

        Raises:
            InputError: its diagonal is not the mean squares, so it is damaged.
        """
        if name not in self._hessians:
            return None
        hessian, statistics = self._hessians[name](), self.statistics[name]
        squares = statistics.squares[0] / max(1, int(statistics.counts[0]))
        diagonal = np.concatenate([rows.diagonal(first) for first, rows in runs_of_rows(hessian)])
        if not np.allclose(diagonal, squares, rtol=CLOSE, atol=CLOSE * 1e-3 * float(squares.max(initial=0))):
            what = "the Hessian is damaged: its diagonal is not the mean squares of the inputs"
            raise InputError(what, file=self.path, tensor=name)
        return hessian

    def check(self, source: Source) -> None:
        """Raises UsageError where it is a calibration of another model, with both digests."""
        if self.model is None:
            return
        digest = model_digest(source)
        if digest != self.model:
            raise UsageError(
                f"this is a calibration of another model than {source.path}",
                file=self.path,
                found=self.model,
                expected=digest,
                hint="Calibrate the model that is converted: `fourcc calibrate`.",
            )

    def aids(self, source: Source, *, hessian: bool = False) -> Mapping[str, Aids]:
        """The aids of each tensor that it knows; a tensor's are made when they are asked for.

        Args:
            source: the model.
            hessian: whether they hold Hessians, where there are some.

        Raises:
            InputError: statistics have another shape than their tensor.
        """
        known = {tensor.name: tensor for tensor in source.tensors if self.of(tensor.name) is not None}
        for tensor in known.values():
            self._check_shape(tensor)
        return _LazyAids(known, lambda tensor: self._aids_of(tensor, hessian=hessian))

    def _aids_of(self, tensor: SourceTensor, *, hessian: bool) -> Aids:
        lead, _, cols = split_shape(tensor.shape)
        statistics = self._known(tensor.name)
        importance = statistics.importance.reshape(prod(lead), cols)
        return Aids(importance if lead else importance[0], self.hessian(tensor.name) if hessian else None)

    def _known(self, name: str) -> InputStatistics:
        """The statistics of a tensor that has some."""
        found = self.of(name)
        assert found is not None
        return found

    def _check_shape(self, tensor: SourceTensor) -> None:
        """Older files have one count for all matrices of a stack: only the number of all columns has to fit."""
        lead, _, cols = split_shape(tensor.shape)
        statistics = self._known(tensor.name)
        whole = statistics.squares.shape == (prod(lead), cols)
        if not whole and statistics.squares.shape != (1, prod(lead) * cols):
            raise InputError(
                "the statistics do not fit the tensor",
                file=self.path,
                tensor=tensor.name,
                found=statistics.squares.shape,
                expected=(prod(lead), cols),
                hint="They are of another model.",
            )

    def ranges(self) -> Mapping[str, Floats]:
        """Static ranges of the inputs of each matrix, see `static_ranges`. Raises UsageError where it has none."""
        return static_ranges(self.statistics, self.path)

    def notes(self, asking: Sequence[str]) -> tuple[str, ...]:
        """Notes on what it cannot say.

        Args:
            asking: tensors whose format uses calibration data.
        """
        names = asking
        if not names:
            return (f"{self.path.name} is not used: no tensor is encoded in a format that uses importance",)
        notes = []
        if self.model is None:
            notes.append(f"{self.path.name} does not say what model it is of: only names and shapes were compared")
        lacking = [name for name in names if self.of(name) is None]
        if lacking:
            notes.append(
                f"{_counted(lacking, 'tensor')} without statistics in {self.path.name}: {listed(lacking, SHOWN)}"
            )
        notes += self._thin(name for name in names if self.of(name) is not None)
        return tuple(notes)

    def _thin(self, names: Iterable[str]) -> Iterator[str]:
        """Notes on matrices of stacks without tokens, and on columns without data."""
        found = {name: self._known(name) for name in names}
        unseen = {name: each.unseen for name, each in found.items() if each.unseen}
        if unseen:
            count = _counted(range(sum(unseen.values())), "matrix", "matrices")
            yield f"{count} without a token, so that all columns count alike: {listed(unseen, SHOWN)}"
        dead = {name: each.dead for name, each in found.items() if each.dead}
        if dead:
            count = _counted(range(sum(dead.values())), "column")
            yield f"{count} without data, since the inputs were always 0: {listed(dead, SHOWN)}"


class _LazyAids(Mapping[str, Aids]):
    """Tensor name -> aids, made when they are asked for."""

    def __init__(self, tensors: Mapping[str, SourceTensor], made: Callable[[SourceTensor], Aids]) -> None:
        self._tensors, self._made = tensors, made

    def __getitem__(self, name: str) -> Aids:
        return self._made(self._tensors[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def _counted(things: object, one: str, many: str = "") -> str:
    """A number of things in words."""
    count = len(things)  # type: ignore[arg-type]  # a list or a range
    return f"{count} {one if count == 1 else many or one + 's'}"
