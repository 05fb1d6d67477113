"""Signalling NaN among stored float16: some machines report them when they are widened, which no user needs to know.

numpy on ARM does. The tests imitate it, so every machine sees it.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from fourcc.arrays import Array
from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from fourcc.settings import complete
from fourcc.spec import FormatSpec
from fourcc.testing import Subject
from fourcc.testing.subject import random_parts

SIGNALLING = 0x7D  # of two such bytes a float16, and of one a float8 of five exponent bits, is a signalling NaN
HALF = np.dtype("<f2")


class Telling(np.ndarray[Any, Any]):
    """An array whose signalling float16 raise the flag of an invalid operation when they are widened."""

    told = 0

    def astype(self, dtype: Any, *args: Any, **more: Any) -> Any:  # type: ignore[override]
        """Does as numpy, and reports."""
        self._tell(np.dtype(dtype))
        return super().astype(dtype, *args, **more)

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **more: Any) -> Any:
        """Does as numpy on the plain arrays, and reports; so does the result."""
        # Numbers stay numbers: as arrays they would widen the result.
        plain = (np.asarray(each) if isinstance(each, Telling) else each for each in inputs)
        result = getattr(ufunc, method)(*plain, **_plain(more))
        for each in inputs:
            if isinstance(each, Telling) and isinstance(result, np.ndarray):
                each._tell(result.dtype)
        return result.view(Telling) if isinstance(result, np.ndarray) else result

    def _tell(self, dtype: np.dtype[Any]) -> None:
        if self.dtype != HALF or dtype.kind != "f" or dtype == HALF:
            return
        bits = np.asarray(self).view("<u2")
        if np.any((bits & 0x7E00 == 0x7C00) & (bits & 0x1FF != 0)):
            Telling.told += 1
            np.float32(np.inf) - np.float32(np.inf)  # an invalid operation: numpy warns unless it is told not to


def _plain(more: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a ufunc, with plain output arrays."""
    if "out" in more:
        more["out"] = tuple(np.asarray(each) for each in more["out"])
    return more


def has_halves(spec: FormatSpec) -> bool:
    """Whether the format stores float16, or their upper halves."""
    return "<f2" in repr(spec.parts) or spec.tag == "F8E5"


def filled(part: Array) -> Array:
    """An array of the same shape, full of signalling NaN."""
    signalling: Array = np.frombuffer(bytes([SIGNALLING]) * part.nbytes, part.dtype).reshape(part.shape).view(Telling)
    return signalling


@pytest.mark.parametrize("tag", [tag for tag in registry if registry[tag].real], ids=str)
def test_nothing_is_told_of_signalling_floats(tag: str) -> None:
    """No format warns, whatever its bytes are; and where it stores float16, there were signalling NaN."""
    fmt = registry[tag]
    params = complete(fmt.params, {})
    shape = Subject.of(fmt).plain_shape()
    geom = Geometry(*shape, params)
    parts = {name: filled(part) for name, part in random_parts(fmt, geom, 0).items()}
    Telling.told = 0
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            fmt.decode(parts, geom)
        except Exception:  # noqa: BLE001 - an exception is a valid answer too
            assert not has_halves(fmt)
    assert not [str(each.message) for each in caught]
    assert Telling.told > 0 or not has_halves(fmt)
