"""Dtypes of the entries of a part, in numpy's notation, without importing numpy."""

from __future__ import annotations

import functools
from math import prod
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy as np

MOST_BYTES = 2**63 - 1  # of an array
WIDEST = 8  # bytes of the widest number to which a weight is decoded, or with which it is computed
Field = tuple[str, str, tuple[int, ...]]  # name, dtype, shape, as in numpy's structured dtypes
DType = str | tuple[Field, ...]  # numpy's array-protocol text, little-endian; or a record (a ggml block)

NUMBERS = frozenset(["|b1", "|i1", "|u1", "<i2", "<u2", "<f2", "<i4", "<u4", "<f4", "<i8", "<u8", "<f8"])


def spelled(dtype: DType) -> DType:
    """A dtype in numpy's full spelling: ``f4`` is ``<f4``, ``u1`` is ``|u1``; anything else unchanged."""
    if not isinstance(dtype, str):
        return dtype
    return next((each for each in (f"<{dtype}", f"|{dtype}") if each in NUMBERS), dtype)


@functools.lru_cache(256)  # a file has a handful
def itemsize(dtype: DType) -> int:
    """Bytes of one entry.

    Raises:
        ValueError: it is not a little-endian dtype of fixed size.
    """
    if isinstance(dtype, str):
        if dtype not in NUMBERS:
            raise ValueError(f"{dtype!r} is not a little-endian dtype such as '<f4' or '|u1'")
        return int(dtype[-1])
    return sum(itemsize(field) * prod(shape) for _, field, shape in dtype)


def addressable(shape: Iterable[int], size: int) -> bool:
    """Whether an array of this shape, with entries of `size` bytes, can exist; an empty array must be countable too.

    >>> addressable((0, 2**62), 1), addressable((0, 2**62), 4)
    (True, False)
    """
    return prod(dim or 1 for dim in shape) * size <= MOST_BYTES


def numpy_dtype(dtype: DType) -> np.dtype[Any]:
    """The numpy dtype of a part."""
    import numpy as np

    return np.dtype(dtype if isinstance(dtype, str) else [(name, kind, shape) for name, kind, shape in dtype])
