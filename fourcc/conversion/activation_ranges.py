"""The static ranges of activations that a conversion stores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Protocol

from fourcc.errors import UsageError
from fourcc.sources.activation_ranges import BLOB, check_ranges, unpacked_ranges

if TYPE_CHECKING:
    from fourcc.arrays import Floats
    from fourcc.sources.source import Source


class RangeData(Protocol):
    """The question of ranges to a calibration; `fourcc.calibration.calibration.Calibration` answers it."""

    def ranges(self) -> Mapping[str, Floats]:
        """Static ranges of the inputs of each matrix, float32 (columns / 32,). Raises UsageError: it has none."""


def source_ranges(source: Source, taken: Iterable[str]) -> dict[str, Floats]:
    """The ranges of some tensors that the source brings, in the order of the tensors.

    Raises:
        InputError: they are damaged.
    """
    if BLOB not in source.blobs:
        return {}
    return _of_tensors(unpacked_ranges(source.blobs[BLOB], _shapes(source), source.path), taken)


def calibrated_ranges(calibration: RangeData | None, source: Source, taken: Iterable[str]) -> dict[str, Floats]:
    """The ranges of some tensors that a calibration brings, in the order of the tensors.

    Raises:
        UsageError: there is no calibration, or it knows the range of none of these tensors.
        InputError: ranges do not fit their tensor.
    """
    if calibration is None:
        raise UsageError("static activations need a calibration", hint="Add --calibration FILE.")
    ranges = _of_tensors(calibration.ranges(), taken)
    if not ranges:
        what = "the calibration gives no range of activations to any of these tensors"
        hint = "It is of other tensors, or their activations are too uneven."
        raise UsageError(what, file=source.path, hint=hint)
    shapes = _shapes(source)
    for name, each in ranges.items():
        check_ranges(each, shapes[name], name, source.path)
    return ranges


def _of_tensors(ranges: Mapping[str, Floats], taken: Iterable[str]) -> dict[str, Floats]:
    return {name: ranges[name] for name in taken if name in ranges}


def _shapes(source: Source) -> dict[str, tuple[int, ...]]:
    return {tensor.name: tensor.shape for tensor in source.tensors}
