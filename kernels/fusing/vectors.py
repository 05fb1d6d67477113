"""Vectors of a block: the entries of a part, or what is computed from them, as a whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import Any

import numpy as np

from fourcc.kernels.fusing.ir import BeyondError, Trace, UntraceableError
from fourcc.kernels.fusing.operations import operate
from fourcc.kernels.fusing.operators import FUNCTIONS, Operators
from fourcc.kernels.fusing.values import INSTEAD, Value


class Vector(Operators):
    """Several values of a block, one after the other.

    Args:
        trace: what records them.
        entries: the values.
        name: of the part that they come from, for messages; empty: of none.
    """

    __hash__ = None  # type: ignore[assignment]  # Python's way to forbid it

    def __init__(self, trace: Trace, entries: Sequence[Value], name: str = "") -> None:
        self.trace, self.name, self._entries = trace, name, entries

    def __len__(self) -> int:
        return len(self._entries)

    def at(self, index: int) -> Value:
        """An entry by its number, 0 .. n - 1."""
        return self._entries[index]

    def __iter__(self) -> Iterator[Value]:
        return map(self.at, range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, (Value, Vector)):
            raise UntraceableError(f"an entry of {self.called} is chosen by a value")
        if isinstance(index, (int, np.integer)):
            return self.at(place(index, len(self), self.called))
        return Vector(self.trace, [self.at(each) for each in places(index, len(self), self.called)], self.name)

    def __setitem__(self, index: object, value: object) -> None:
        raise UntraceableError(f"an entry of {self.called} is written: only weights are")

    @property
    def called(self) -> str:
        """The vector, as messages call it."""
        return f"part {self.name!r}" if self.name else "a vector"

    @property
    def shape(self) -> tuple[int]:
        """A vector has one dimension."""
        return (len(self),)

    @property
    def size(self) -> int:
        """The number of entries."""
        return len(self)

    def astype(self, dtype: object) -> Vector:
        """Like numpy's `astype`, entry by entry."""
        return Vector(self.trace, [each.astype(dtype) for each in self], self.name)

    def _reduced(self, name: str) -> Any:
        if not len(self):
            raise UntraceableError(f"{name} of no entries")
        return reduce(lambda x, y: operate(name, x, y), self)

    def sum(self) -> Any:
        """The sum, from the first entry to the last."""
        return self._reduced("add")

    def min(self) -> Any:
        """The least entry."""
        return self._reduced("min")

    def max(self) -> Any:
        """The largest entry."""
        return self._reduced("max")

    def __bool__(self) -> bool:
        raise UntraceableError(f"what it does depends on a vector of values: {INSTEAD}")

    def __float__(self) -> Any:
        raise UntraceableError(f"{self.called} of {len(self)} entries is taken for a number: write [0], or another")

    __int__ = __index__ = __float__


def place(index: Any, count: int, called: str) -> int:
    """The number of an entry; a negative index counts from the end.

    Raises:
        BeyondError: there is no such entry.
    """
    at = int(index) + (count if index < 0 else 0)
    if not 0 <= at < count:
        what = "weight" if called == "the weights" else "entry"
        raise BeyondError(f"{what} {index} of {count}{f' of {called}' if called.startswith('part') else ''}")
    return at


def places(index: Any, count: int, called: str) -> Sequence[int]:
    """The numbers of the entries that a slice, or a list of numbers, chooses.

    Raises:
        UntraceableError: it is neither.
        BeyondError: a listed entry is none.
    """
    if index is Ellipsis:
        return range(count)
    if isinstance(index, slice):
        return range(count)[index]
    if isinstance(index, (list, np.ndarray)) and np.asarray(index).dtype.kind in "iu" and np.ndim(index) == 1:
        return [place(each, count, called) for each in index]
    raise UntraceableError(f"an entry of {called} is chosen by a {type(index).__name__}")


def listed(operand: Any) -> Sequence[Any] | None:
    """The entries of a vector, an array or a list; None of a single number.

    Raises:
        UntraceableError: an array of several dimensions.
    """
    if isinstance(operand, (list, tuple)):
        return uniform(operand)
    if isinstance(operand, Vector):
        return operand  # type: ignore[return-value]  # as good as a sequence here
    if isinstance(operand, np.ndarray) and operand.ndim:
        if operand.ndim > 1:
            raise UntraceableError(f"an array of {operand.ndim} dimensions meets a value of the block")
        return list(operand)
    return None


def uniform(entries: Sequence[Any]) -> Sequence[Any]:
    """Entries of one kind: floats, where one is a float, truth values, where all are, else integers."""
    trace = next((each.trace for each in entries if isinstance(each, Value)), None)
    if trace is None:
        return entries
    values = [Value.of(trace, each) for each in entries]
    if any(each.bounds is None for each in values):
        return [each.as_float() for each in values]
    return values if all(each.kind == "truth" for each in values) else [each.as_integer() for each in values]


def broadcast(name: str, *operands: Any) -> Any:
    """An operation on single values, or entry by entry on vectors; a single value, or entry, meets all entries.

    Raises:
        UntraceableError: the lengths of two vectors differ.
    """
    lists = [listed(each) for each in operands]
    longest: Sequence[Any] | None = None
    for each in lists:
        if each is None or len(each) == 1:
            longest = each if longest is None else longest
        elif longest is None or len(longest) == 1:
            longest = each
        elif len(longest) != len(each):
            raise UntraceableError(f"{_counted(longest)} meet {_counted(each)}")
    if longest is None:
        return operate(name, *(_scalar(each) for each in operands))
    rows = []
    for at in range(len(longest)):
        row = [
            _scalar(operand) if each is None else _entry(each, at if len(each) > 1 else 0)
            for operand, each in zip(operands, lists, strict=True)
        ]
        rows.append(operate(name, *row))
    origin = [each for each in operands if isinstance(each, Vector)]
    names = [each.name for each in origin if each.name and (len(each) > 1 or len(longest) == 1)]
    return Vector(next(each for each in rows).trace if rows else origin[0].trace, rows, names[0] if names else "")


def _entry(entries: Any, at: int) -> Any:
    return entries.at(at) if isinstance(entries, Vector) else entries[at]


def _scalar(operand: Any) -> Any:
    return operand[()] if isinstance(operand, np.ndarray) else operand


def _counted(entries: Any) -> str:
    called = f" of part {entries.name!r}" if isinstance(entries, Vector) and entries.name else ""
    return f"{len(entries)} entries{called}"


def concatenated(one: Operators, vectors: Sequence[Any], axis: int = 0) -> Vector:
    """Like numpy's `concatenate`."""
    if axis not in {0, -1}:
        raise UntraceableError("np.concatenate along another axis")
    lists = [listed(each) for each in vectors]
    if any(each is None for each in lists):
        raise UntraceableError("np.concatenate of a single value: write [value]")
    entries = [Value.of(_trace(one), each) for some in lists if some is not None for each in some]
    return Vector(_trace(one), uniform(entries))


def _trace(one: Any) -> Trace:
    return one.trace  # type: ignore[no-any-return]  # values and vectors have it


def _total(method: str) -> Callable[..., Any]:
    def act(one: Any, vector: Any) -> Any:
        return getattr(vector, method)()

    return act


def repeated(one: Operators, vector: Any, repeats: int) -> Vector:
    """Like numpy's `repeat`: each entry several times."""
    return Vector(_trace(one), [each for each in vector for _ in range(repeats)])


def tiled(one: Operators, vector: Any, reps: int) -> Vector:
    """Like numpy's `tile`: all entries several times."""
    return Vector(_trace(one), [*vector] * reps)


FUNCTIONS.update(
    {
        np.concatenate: concatenated,
        np.repeat: repeated,
        np.tile: tiled,
        np.sum: _total("sum"),
        np.min: _total("min"),
        np.max: _total("max"),
    }
)


def _apply(_: Operators, name: str, *operands: object) -> Any:
    return broadcast(name, *operands)


Operators.apply = _apply  # type: ignore[method-assign,assignment]  # values and vectors know nothing of each other
