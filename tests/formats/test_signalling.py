"""Signalling NaN among stored float16: some machines tell of them when they are widened, and nobody wants to know.

numpy on ARM does; what it does is made up here, so that it is seen on any machine.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from fourcc.format import Array
from fourcc.registry import registry
from fourcc.spec import FormatSpec, Geometry, complete
from fourcc.testing import Subject
from fourcc.testing.subject import random_parts

SIGNALLING = 0x7D  # of two such bytes a float16, and of one a float8 of five exponent bits, is a signalling NaN
HALF = np.dtype("<f2")


class Telling(np.ndarray[Any, Any]):
    """An array whose float16, where they become longer floats, raise the flag of an invalid operation."""

    told = 0

    def astype(self, dtype: Any, *args: Any, **more: Any) -> Any:  # type: ignore[override]  # noqa: ANN401
        """As numpy's."""
        self._tell(np.dtype(dtype))
        return super().astype(dtype, *args, **more)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **more: Any) -> Any:  # noqa: ANN401
        """As numpy's, of the plain arrays; the result tells, too."""
        made = getattr(ufunc, method)(*(np.asarray(each) for each in inputs), **_plain(more))
        for each in inputs:
            if isinstance(each, Telling) and isinstance(made, np.ndarray):
                each._tell(made.dtype)
        return made.view(Telling) if isinstance(made, np.ndarray) else made

    def _tell(self, dtype: np.dtype[Any]) -> None:
        if self.dtype != HALF or dtype.kind != "f" or dtype == HALF:
            return
        bits = np.asarray(self).view("<u2")
        if np.any((bits & 0x7E00 == 0x7C00) & (bits & 0x1FF != 0)):
            Telling.told += 1
            np.float32(np.inf) - np.float32(np.inf)  # an invalid operation: numpy warns, or is told not to


def _plain(more: dict[str, Any]) -> dict[str, Any]:
    """Arguments of a ufunc whose arrays to write to are plain."""
    if "out" in more:
        more["out"] = tuple(np.asarray(each) for each in more["out"])
    return more


def has_halves(spec: FormatSpec) -> bool:
    """Whether float16 are stored, as such or as their upper halves."""
    return "<f2" in repr(spec.parts) or spec.tag == "F8E5"


def filled(part: Array) -> Array:
    """An array of the same shape, of signalling NaN."""
    made: Array = np.frombuffer(bytes([SIGNALLING]) * part.nbytes, part.dtype).reshape(part.shape).view(Telling)
    return made


@pytest.mark.parametrize("tag", [tag for tag in registry if registry[tag].spec.real], ids=str)
def test_nothing_is_told_of_signalling_floats(tag: str) -> None:
    """Of every format, whatever its bytes are; and where it stores float16, there was something to tell of."""
    found = registry[tag]
    params = complete(found.spec.params, {})
    shape = Subject.of(found).plain_shape()
    geom = Geometry(*shape, params)
    parts = {name: filled(part) for name, part in random_parts(found, geom, 0).items()}
    Telling.told = 0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            found.decode(parts, geom)
        except Exception:  # noqa: BLE001 - to raise is an answer, too
            assert not has_halves(found.spec)
    assert not [str(each.message) for each in caught]
    assert Telling.told > 0 or not has_halves(found.spec)
