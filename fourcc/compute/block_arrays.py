"""Block decoders on numpy's arrays, all blocks at once: an author's formula, with float32 and integers that hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from fourcc.arrays import Array, Floats

EXACT = frozenset({np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.right_shift, np.minimum, np.maximum})
SUMS = frozenset({np.add, np.subtract, np.negative, np.absolute})
WIDER = {1: np.int16, 2: np.int32, 4: np.int64, 8: np.int64}  # bytes of two integers -> a dtype that holds their sum


class Numbers(np.ndarray[Any, Any]):
    """An array whose integers are widened before they overflow, and become float32 where they meet floats."""

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, out: Any = None, **more: Any) -> Any:
        """Numpy's function on plain arrays."""
        plain = _held(ufunc, [np.asarray(each) if isinstance(each, np.ndarray) else each for each in inputs])
        if out is not None:
            more["out"] = tuple(np.asarray(each) for each in out)
        result = getattr(ufunc, method)(*plain, **more)
        return result.view(Numbers) if isinstance(result, np.ndarray) else result


def _held(ufunc: np.ufunc, operands: list[Any]) -> list[Any]:
    """Operands of dtypes in which the result is exact; floats are float32."""
    dtypes = [each.dtype if hasattr(each, "dtype") else np.min_scalar_type(each) for each in operands]
    if ufunc is np.true_divide or any(dtype.kind == "f" for dtype in dtypes):
        return [np.asarray(each, np.float32) for each in operands]
    if ufunc is np.left_shift and isinstance(operands[1], int):  # by so many bits
        dtypes = [np.dtype(np.int64 if dtypes[0].itemsize * 8 < operands[1] else WIDER[dtypes[0].itemsize])]
    common = np.result_type(*dtypes)
    if ufunc not in EXACT and ufunc is not np.left_shift:
        common = np.dtype(WIDER[common.itemsize] if ufunc in SUMS else np.int64)
    elif common.kind == "f":  # numpy's rule for int64 and uint64
        common = np.dtype(np.int64)
    return [np.asarray(each, common) for each in operands]


class MatrixPart:
    """Marks an array that belongs to the whole matrix: (count,), or () for one entry."""

    def __init__(self, array: Array) -> None:
        self.array = array


def decode_blocks(
    function: Callable[..., None],
    parts: Sequence[Array | MatrixPart],
    weights: Floats,
    params: Mapping[str, object],
) -> None:
    """Decodes blocks, without a warning: scales may be anything.

    Args:
        function: (part, …, weights) writes the weights of a block.
        parts: (entries, blocks) or, where an entry is a number, (blocks,); `MatrixPart` for those of the matrix.
        weights: float32 (weights, blocks), which are written; fastest where those of a block are side by side in memory.
        params: the layout's parameters, which the function takes by name.
    """
    with np.errstate(all="ignore"):
        arguments = [_numbers(part.array if isinstance(part, MatrixPart) else part) for part in parts]
        function(*arguments, weights.view(Numbers), **params)


def _numbers(part: Array) -> Numbers:
    return (part if part.dtype.kind != "f" else part.astype(np.float32, copy=False)).view(Numbers)
