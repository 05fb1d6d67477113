"""The source and the calibration as a worker opens them: once in a process, for all of its pieces."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

import attrs
import numpy as np

from fourcc.conversion.plan import CalibrationData
from fourcc.conversion.spread.request import WorkerInputs
from fourcc.errors import ClusterError
from fourcc.feedback.factors import Factors
from fourcc.format import Aids
from fourcc.sources import open_source
from fourcc.sources.source import Source

KEPT = 2  # opened inputs of a process, besides those in use


@attrs.define(eq=False)
class OpenedInputs:
    """The inputs of a conversion, opened in this process.

    Attributes:
        source: the checkpoint.
        aids: of the tensors that have some.
        factors: of Hessians.
        users: pieces that use it now.
    """

    source: Source
    aids: Mapping[str, Aids]
    factors: Factors = attrs.field(factory=Factors)
    users: int = 0


_lock = Lock()
_opened: OrderedDict[WorkerInputs, OpenedInputs] = OrderedDict()


@contextmanager
def opened(inputs: WorkerInputs) -> Iterator[OpenedInputs]:
    """The opened inputs, which stay open for later pieces.

    Raises:
        ClusterError: this process takes the source for another kind of file.
        FourccError: they cannot be opened.
    """
    with _lock:
        found = _opened.get(inputs)
        if found is None:
            found = _opened[inputs] = _open(inputs)
        _opened.move_to_end(inputs)
        found.users += 1
    try:
        yield found
    finally:
        with _lock:
            found.users -= 1
            _close_old()


def _close_old() -> None:
    for inputs in list(_opened)[:-KEPT]:
        if not _opened[inputs].users:
            _opened.pop(inputs).source.close()


def _open(inputs: WorkerInputs) -> OpenedInputs:
    source = open_source(inputs.source)
    if source.kind != inputs.kind:
        source.close()
        what = "a worker takes the source for another kind of file"
        raise ClusterError(what, file=inputs.source, found=source.kind, expected=inputs.kind)
    aids: dict[str, Aids] = {}
    known: Mapping[str, Aids] = {}
    if inputs.calibration is not None:
        known = _calibration(inputs.calibration).aids(source, hessian=True)
    if inputs.aids is not None:
        aids = stored_aids(Path(inputs.aids))
    return OpenedInputs(source, _Both(aids, known))


class _Both(dict[str, Aids]):
    """Aids by names; those that a calibration knows are made when they are asked for."""

    def __init__(self, given: Mapping[str, Aids], known: Mapping[str, Aids]) -> None:
        super().__init__(given)
        self._known = known

    def __missing__(self, name: str) -> Aids:
        return self._known[name] if name in self._known else Aids()


def _calibration(path: str) -> CalibrationData:
    from importlib import import_module

    opening = import_module("fourcc.calibration.reading")  # a layer above this one
    found: CalibrationData = opening.open_calibration(Path(path))
    return found


def store_aids(path: Path, aids: Mapping[str, Aids]) -> None:
    """Writes aids into a file, for workers to read."""
    arrays: dict[str, np.ndarray] = {}
    for number, (name, each) in enumerate(aids.items()):
        arrays[f"{number} name"] = np.array(name)
        arrays |= {
            f"{number} {key}": value for key, value in attrs.asdict(each, recurse=False).items() if value is not None
        }
    with path.open("wb") as file:
        np.savez(file, allow_pickle=False, **arrays)


def stored_aids(path: Path) -> dict[str, Aids]:
    """The aids in a file that `store_aids` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        found: dict[str, dict[str, np.ndarray]] = {}
        for key in stored.files:
            number, what = key.split(" ")
            found.setdefault(number, {})[what] = stored[key]
    return {str(each.pop("name")): Aids(**each) for each in found.values()}
