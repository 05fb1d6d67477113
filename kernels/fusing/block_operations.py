"""The operations on arrays of many blocks that are not simply numpy's, on operands without their class.

An operand is a number, values (blocks,) or a vector (entries, blocks).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from fourcc.kernels.descriptors import Array

POWERS = 16  # the largest exponent that is a product of so many factors, as in a trace
COMPARISONS = (np.less, np.less_equal, np.greater, np.greater_equal, np.equal, np.not_equal)
SUMS: set[np.ufunc] = {np.add, np.subtract, np.negative, np.absolute}  # of integers, they need a bit more
PRODUCTS: set[np.ufunc] = {np.multiply, np.floor_divide, np.remainder, np.left_shift}
ALIKE = {*SUMS, *PRODUCTS, np.right_shift, np.positive, np.sign}
WIDER = {1: np.int16, 2: np.int32, 4: np.int64, 8: np.int64}  # bytes of integers -> a dtype that holds a sum of two


class BlockDecoderError(ValueError):
    """A block decoder failed on arrays of many blocks; the message says why, and in which line."""


class OfBlocks(np.ndarray[Any, Any]):
    """Marks an array whose last axis runs over blocks."""


def operand(given: Any) -> Any:
    """An operand without its class; an array or a list of numbers is a vector, each entry the same for all blocks."""
    if isinstance(given, OfBlocks):
        return np.asarray(given)
    if isinstance(given, (list, tuple)):
        return stacked([operand(each) for each in given])
    if isinstance(given, np.ndarray):
        return np.asarray(given).reshape(-1, 1) if given.ndim == 1 else np.asarray(given)
    return given


def stacked(values: Sequence[Any]) -> Array:
    """A list of values as a vector."""
    same = values if all(map(is_truth, values)) else alike(values)
    return np.stack(np.broadcast_arrays(*(np.atleast_1d(each) for each in same)))


def is_float(given: Any) -> bool:
    """Whether an operand is a float, or floats."""
    return isinstance(given, float) or (isinstance(given, (np.ndarray, np.generic)) and given.dtype.kind == "f")


def is_truth(given: Any) -> bool:
    """Whether an operand is true or false."""
    return isinstance(given, (bool, np.bool_)) or (isinstance(given, np.ndarray) and given.dtype.kind == "b")


def as_float(given: Any) -> Any:
    """An operand as float32."""
    if isinstance(given, np.ndarray):
        return given.astype(np.float32, copy=False)
    return np.float32(float(given))


def as_integer(given: Any) -> Any:
    """An integer or a truth value as int64, of which longer integers keep the lowest bits."""
    if isinstance(given, np.ndarray):
        return given.astype(np.int64, copy=False)
    return np.int64((int(given) + (1 << 63)) % (1 << 64) - (1 << 63))


def as_truth(given: Any) -> Any:
    """An operand as truth values: whether it is not 0."""
    return given if is_truth(given) else np.not_equal(given, 0)


def alike(operands: Sequence[Any]) -> list[Any]:
    """The operands as float32 where one is a float, else as integers of the shortest dtype that holds them all.

    Raises:
        BlockDecoderError: the lengths of two vectors differ.
    """
    check_lengths(operands)
    if any(map(is_float, operands)):
        return list(map(as_float, operands))
    whole = [each if isinstance(each, np.ndarray) else as_integer(each) for each in operands]
    return _as(_common(whole), whole)


def _common(whole: Sequence[Any]) -> np.dtype[Any]:
    """The shortest integer dtype that holds arrays of integers or truth values, and numbers."""
    common = np.result_type(*(each.dtype if each.ndim else np.min_scalar_type(each) for each in whole))
    return np.dtype({"f": np.int64, "b": np.int8}.get(common.kind, common))


def _as(dtype: Any, whole: Sequence[Any]) -> list[Any]:
    return [each.astype(dtype, copy=False) for each in whole]


def _exact(ufunc: np.ufunc, whole: list[Any]) -> list[Any]:
    """Integers as long as the result of a function of them must be: short ones are many times as fast."""
    size = whole[0].dtype.itemsize
    short = (
        ufunc is np.left_shift and not whole[1].ndim and 0 <= whole[1] < 8 * size
    )  # by all bits: unsigned does not fit
    if ufunc in SUMS or short:
        return _as(WIDER[size], whole)
    return _as(np.int64, whole) if ufunc in PRODUCTS else whole


def check_lengths(operands: Sequence[Any]) -> None:
    """Checks that vectors are equally long; one of one entry goes with any.

    Raises:
        BlockDecoderError: they are not.
    """
    lengths = [len(each) for each in operands if isinstance(each, np.ndarray) and each.ndim == 2 and len(each) != 1]
    if len(set(lengths)) > 1:
        raise BlockDecoderError(f"{lengths[0]} entries meet {next(each for each in lengths if each != lengths[0])}")


def applied(ufunc: np.ufunc, operands: Sequence[Any], options: dict[str, Any]) -> Any:
    """The result of one of numpy's element-by-element functions, of any kind and length of numbers.

    Functions that traces do not know are computed in float64, since machines round them differently in float32.
    """
    if ufunc in MEANINGS:
        return MEANINGS[ufunc](*operands)
    given = alike(operands)
    if given[0].dtype.kind != "f":
        given = _exact(ufunc, given) if ufunc in ALIKE else _as(np.int64, given)
    elif ufunc not in ALIKE:
        given = _as(np.float64, given)
    else:
        return ufunc(*given, **options, out=_made_for_it(operands, given))
    return ufunc(*given, **options)


def _made_for_it(operands: Sequence[Any], given: Sequence[Any]) -> Array | None:
    """A vector that became floats for this operation alone, if the result has its shape."""
    shape = np.broadcast_shapes(*(each.shape for each in given))
    for before, now in zip(operands, given, strict=True):
        if isinstance(before, np.ndarray) and before.dtype != np.float32 and now.shape == shape:
            memory: Array = now  # which is in the cache
            return memory
    return None


def _bitwise(ufunc: np.ufunc) -> Callable[..., Any]:
    """A bitwise operation, which keeps truth values, and has none of floats."""

    def act(*operands: Any) -> Any:
        check_lengths(operands)
        if all(map(is_truth, operands)):
            return ufunc(*operands)
        given = alike(operands)
        return ufunc(*(_as(WIDER[given[0].dtype.itemsize], given) if ufunc is np.invert else given))

    return act


def _logical(ufunc: np.ufunc) -> Callable[..., Any]:
    def act(*operands: Any) -> Any:
        check_lengths(operands)
        return ufunc(*map(as_truth, operands))

    return act


def _compared(ufunc: np.ufunc) -> Callable[[Any, Any], Any]:
    """A comparison; numpy compares Python's integers exactly."""

    def act(x: Any, y: Any) -> Any:
        check_lengths((x, y))
        if is_float(x) or is_float(y):
            return ufunc(as_float(x), as_float(y))
        return ufunc(*(each if isinstance(each, int) else as_integer(each) for each in (x, y)))

    return act


def _power(x: Any, y: Any) -> Any:
    """A product of equal factors, from left to right; for other exponents numpy's power."""
    if not isinstance(y, (int, np.integer)) or isinstance(y, bool) or not 0 <= y <= POWERS:
        x, y = alike([x, y])  # of integers, the shortest dtype that holds both holds no power
        return np.power(*_as(np.float64 if x.dtype.kind == "f" else np.int64, [x, y]))
    x = as_float(x) if is_float(x) else as_integer(x)
    return reduce(np.multiply, [x] * int(y)) if y else np.ones_like(x)


def _quotient(x: Any, y: Any) -> Any:
    check_lengths((x, y))
    return np.true_divide(as_float(x), as_float(y))


def _extreme(ufunc: np.ufunc, compare: np.ufunc) -> Callable[[Any, Any], Any]:
    """The smaller or larger one; of floats NaN, if one is NaN, and the first, if they are equal."""

    def act(x: Any, y: Any) -> Any:
        x, y = alike([x, y])
        if x.dtype.kind != "f":
            return ufunc(x, y)
        return np.where(compare(x, y) | (x != x), x, y)  # noqa: PLR0124 - NaN

    return act


def where(condition: Any, x: Any, y: Any) -> Any:
    """x where the condition is true or not 0, else y."""
    check_lengths((condition, x, y))
    if not (is_truth(x) and is_truth(y)):
        x, y = alike([x, y])
    return np.where(as_truth(condition), x, y)


MEANINGS: dict[np.ufunc, Callable[..., Any]] = {
    np.true_divide: _quotient,
    np.power: _power,
    np.square: lambda x: _power(x, 2),
    np.fabs: lambda x: np.abs(as_float(x)),
    np.minimum: _extreme(np.minimum, np.less_equal),
    np.maximum: _extreme(np.maximum, np.greater_equal),
    **{each: _compared(each) for each in COMPARISONS},
    **{each: _bitwise(each) for each in (np.bitwise_and, np.bitwise_or, np.bitwise_xor, np.invert)},
    **{each: _logical(each) for each in (np.logical_and, np.logical_or, np.logical_xor, np.logical_not)},
}


def looked_up(table: Array, index: Array) -> Array:
    """Entries of a table: an index counts modulo 2^k where there are 2^k, else one beyond the end takes the last.

    Raises:
        BlockDecoderError: the index is a float, or the table is empty.
    """
    count = len(table)
    if index.dtype.kind == "f" or not count:
        raise BlockDecoderError("an entry is chosen by a float" if count else "an entry is chosen from an empty table")
    if count & (count - 1) == 0:
        index = np.bitwise_and(*alike([index, count - 1]))
    else:
        index = as_integer(index)
        index = np.clip(np.where(index < 0, index + count, index), 0, count - 1)
    found: Array = table[index]
    return found
