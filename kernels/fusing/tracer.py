"""From a function that decodes one block, written for plain numbers, to the list of steps that it takes.

The function is run once with stand-ins for its arguments: every operation on them is written down, loops run as they
are. What comes out is straight-line code in which each value may as well be a vector of sixteen rows;
`fourcc.kernels.fusing.fused` builds products from it. A function that looks at a value to decide what to do next cannot
be written down so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from inspect import signature
from types import CellType, FunctionType
from typing import Any

import numpy as np

from fourcc.kernels.compiler.object_cache import names_of
from fourcc.kernels.descriptors import Array
from fourcc.kernels.fusing.integer_ranges import kind_of, told
from fourcc.kernels.fusing.ir import BeyondError, Trace, UntraceableError, Value, in_float32


@dataclass(frozen=True)
class Source:
    """A part of the format, as the decoder of a block sees it.

    Attributes:
        index: the part's number.
        dtype: of an entry.
        count: entries of a block; of a part of the row, or of the whole matrix, all of them.
        offset: bytes from the start of the block's bytes to the first entry.
        whole: whether it belongs to the whole matrix, so that a value may choose an entry.
    """

    index: int
    dtype: str
    count: int
    offset: int = 0
    whole: bool = False


class Entries:
    """Stands for a part's entries of one block."""

    def __init__(self, trace: Trace, source: Source) -> None:
        self._trace, self._source = trace, source

    def __len__(self) -> int:
        return self._source.count

    def __getitem__(self, index: object) -> Value:
        source = self._source
        if isinstance(index, Value):
            if not source.whole:
                raise UntraceableError("an entry of the block is chosen by a value")
            if source.offset:
                raise UntraceableError("an entry of a record is chosen by a value")
            at = _index(index, source.count)
            return _entry(self._trace, source.dtype, "part_table", source.index, source.dtype, source.count, at)
        if not isinstance(index, (int, np.integer)):
            raise UntraceableError(f"an entry is chosen by a {type(index).__name__}")
        at = int(index) + (source.count if index < 0 else 0)
        if not 0 <= at < source.count:
            raise BeyondError(f"entry {index} of {source.count}")
        name, offset = "part_entry" if source.whole else "load", source.offset + at * np.dtype(source.dtype).itemsize
        return _entry(self._trace, source.dtype, name, source.index, source.dtype, offset)


def _entry(trace: Trace, dtype: str, name: str, *arguments: object) -> Value:
    """The value of a step that takes an entry of a dtype: the number that it is, of however few bits."""
    given = np.dtype(dtype)
    if given.kind not in "fiu" or given.itemsize > 4:
        raise UntraceableError(f"entries of {dtype}")
    if given.kind == "f":
        return trace.real(name, *arguments)
    info = np.iinfo(given)
    return trace.whole(name, (int(info.min), int(info.max)), *arguments)


def _index(index: Value, count: int) -> int:
    """The step that gives an index into so many entries. One that may be negative counts from the end."""
    low, high = index.held("an entry is chosen by")
    if low >= 0:
        return index.number
    if low < -count or count & (count - 1):
        raise UntraceableError(f"an entry of {count} is chosen by an integer of {told((low, high))}")
    return index.combine("and", count - 1).number


class Table:
    """Stands for an array of numbers that the function names."""

    def __init__(self, trace: Trace, values: Array) -> None:
        self._trace, self._values = trace, values
        self._number: int | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self._values, name)

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: object) -> object:
        if not isinstance(index, Value):
            return _number(self._values[index])  # type: ignore[call-overload]
        at = _index(index, len(self._values))
        if self._number is None:
            self._number = self._trace.table(_in_32_bits(self._values))
        table = self._trace.tables[self._number]
        if table.dtype.kind == "f":
            return self._trace.real("table", self._number, at)
        return self._trace.whole("table", (int(table.min()), int(table.max())), self._number, at)


def _number(taken: object) -> object:
    """An entry as the number that it is, of however few bits it is stored; several as they are."""
    return int(taken) if isinstance(taken, np.integer) else taken


def _in_32_bits(values: Array) -> Array:
    """A table's entries as float32, int32, or, where they do not fit, uint32."""
    if not len(values):
        raise UntraceableError("an entry is chosen from an empty table")
    if values.dtype.kind == "f":
        return in_float32(values)
    kind = kind_of((int(values.min()), int(values.max())))
    if kind == "low":
        raise UntraceableError("a table of integers that 32 bits do not hold")
    return values.astype(np.int32 if kind == "int" else np.uint32)


class Weights:
    """Stands for the block's weights."""

    def __init__(self, trace: Trace, count: int) -> None:
        self._trace, self._count = trace, count

    def __len__(self) -> int:
        return self._count

    def __setitem__(self, index: int, value: object) -> None:
        self._trace.results[self._at(index)] = self._trace.value(value).as_float().number

    def __getitem__(self, index: int) -> Value:
        at = self._at(index)
        if at not in self._trace.results:
            raise UntraceableError(f"it reads weight {at} before it writes it")
        return Value(self._trace, self._trace.results[at], None)

    def _at(self, index: int) -> int:
        if not isinstance(index, (int, np.integer, Value)):
            raise UntraceableError(f"a weight is chosen by a {type(index).__name__}")
        at = int(index) + (self._count if index < 0 else 0)
        if not 0 <= at < self._count:
            raise BeyondError(f"weight {index} of {self._count}")
        return at


def trace(
    function: Callable[..., None],
    sources: Sequence[Source | Sequence[tuple[str, Source]]],
    width: int,
    params: Mapping[str, object] | None = None,
) -> Trace:
    """The steps of a block's decoder.

    Args:
        function: (part, …, weights) writes the weights of one block; a part of records is a mapping of its fields.
        sources: the parts.
        width: weights of a block.
        params: of the layout, which the function takes by name.

    Raises:
        UntraceableError: it cannot be written down, or leaves a weight out.
        IndexError: it takes an entry, or writes a weight, that the block does not have.
        TypeError: it does not take these arguments.
    """
    made = Trace()
    arguments: list[object] = []
    for source in sources:
        if isinstance(source, Source):
            arguments.append(Entries(made, source))
        else:
            arguments.append({name: Entries(made, each) for name, each in source})
    _run(function, made, [*arguments, Weights(made, width)], params or {})
    missing = sorted(set(range(width)) - set(made.results))
    if missing:
        raise UntraceableError(f"it leaves weight {missing[0]} of {width} unwritten")
    return made


def _run(function: Callable[..., None], made: Trace, arguments: Sequence[object], params: Mapping[str, object]) -> None:
    """Runs the function, with stand-ins for all that it sees."""
    with _refusing():
        copy = stand_in(function, made)
    try:
        signature(copy).bind(*arguments, **params)
    except TypeError as error:
        raise TypeError(f"{copy.__name__}() {error}") from None
    with _refusing():
        copy(*arguments, **params)


@contextmanager
def _refusing() -> Iterator[None]:
    """What Python cannot do with stand-ins, cannot be written down."""
    try:
        yield
    except UntraceableError:
        raise
    except BeyondError as error:
        raise IndexError(str(error)) from None
    except Exception as error:
        raise UntraceableError(f"{type(error).__name__}: {error}") from error


def stand_in(function: Callable[..., Any], made: Trace) -> FunctionType:
    """A copy of a plain function that sees stand-ins for the arrays that it, or what it calls, names."""
    plain = getattr(function, "py_func", function)
    if not isinstance(plain, FunctionType):
        raise UntraceableError(f"a {type(plain).__name__} is no Python function")
    names = names_of(plain.__code__)
    scope = {
        name: _seen(value, made) if name in names else value
        for name, value in plain.__globals__.items()
        if name in names or name.startswith("__")
    }
    cells = tuple(CellType(_seen(cell.cell_contents, made)) for cell in plain.__closure__ or ())
    copy = FunctionType(plain.__code__, scope, plain.__name__, plain.__defaults__, cells or None)
    copy.__kwdefaults__ = plain.__kwdefaults__
    return copy


def _seen(value: object, made: Trace) -> object:
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiu" and value.ndim == 1:
        return Table(made, value)
    if isinstance(value, FunctionType) or hasattr(value, "py_func"):
        return stand_in(value, made)  # type: ignore[arg-type]
    return value
