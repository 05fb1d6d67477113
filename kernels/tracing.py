"""From a function that decodes one block, written for plain numbers, to the list of steps that it takes.

The function is run once with stand-ins for its arguments: every operation on them is written down, loops run as they
are. What comes out is straight-line code in which each value may as well be a vector of sixteen rows;
`fourcc.kernels.fused` builds products from it. A function that looks at a value to decide what to do next cannot be
written down so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import CellType, FunctionType
from typing import Any

import numpy as np

from fourcc.kernels.objects import names_of
from fourcc.kernels.operands import Array
from fourcc.kernels.trace import Trace, UntraceableError, Value


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
            kind = _kind(source.dtype)
            return self._trace.add("part_table", kind, source.index, source.dtype, source.count, index.number)
        if not isinstance(index, (int, np.integer)):
            raise UntraceableError(f"an entry is chosen by a {type(index).__name__}")
        at = int(index) + (source.count if index < 0 else 0)
        if not 0 <= at < source.count:
            raise IndexError(f"entry {index} of {source.count}")
        kind = _kind(source.dtype)
        name = "part_entry" if source.whole else "load"
        return self._trace.add(
            name, kind, source.index, source.dtype, source.offset + at * np.dtype(source.dtype).itemsize
        )


def _kind(dtype: str) -> str:
    """Kind of an entry's value; only 32 unsigned bits may not fit a signed number."""
    given = np.dtype(dtype)
    if given.kind not in "fiu" or given.itemsize > 4:
        raise UntraceableError(f"entries of {dtype}")
    return "float" if given.kind == "f" else "uint" if given == np.uint32 else "int"


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
            return self._values[index]  # type: ignore[call-overload]
        if self._number is None:
            self._number = self._trace.table(_in_32_bits(self._values))
        kind = {"f": "float", "u": "uint", "i": "int"}[self._trace.tables[self._number].dtype.kind]
        return self._trace.add("table", kind, self._number, index.number)


def _in_32_bits(values: Array) -> Array:
    """A table's entries as float32, int32, or, where they do not fit, uint32."""
    if values.dtype.kind == "f":
        return values.astype(np.float32)
    for dtype in (np.dtype(np.int32), np.dtype(np.uint32)):
        if len(values) and np.iinfo(dtype).min <= values.min() and values.max() <= np.iinfo(dtype).max:
            return values.astype(dtype)
    raise UntraceableError("a table of integers that 32 bits do not hold")


class Weights:
    """Stands for the block's weights."""

    def __init__(self, trace: Trace, count: int) -> None:
        self._trace, self._count = trace, count

    def __len__(self) -> int:
        return self._count

    def __setitem__(self, index: int, value: object) -> None:
        at = int(index) + (self._count if index < 0 else 0)
        if not 0 <= at < self._count:
            raise IndexError(f"weight {index} of {self._count}")
        self._trace.results[at] = self._trace.value(value).as_float().number


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
    """
    made = Trace()
    arguments: list[object] = []
    for source in sources:
        if isinstance(source, Source):
            arguments.append(Entries(made, source))
        else:
            arguments.append({name: Entries(made, each) for name, each in source})
    stand_in(function, made)(*arguments, Weights(made, width), **(params or {}))
    missing = sorted(set(range(width)) - set(made.results))
    if missing:
        raise UntraceableError(f"it leaves weight {missing[0]} of {width} unwritten")
    return made


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
    return FunctionType(plain.__code__, scope, plain.__name__, plain.__defaults__, cells or None)


def _seen(value: object, made: Trace) -> object:
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiu" and value.ndim == 1:
        return Table(made, value)
    if isinstance(value, FunctionType) or hasattr(value, "py_func"):
        return stand_in(value, made)  # type: ignore[arg-type]
    return value
