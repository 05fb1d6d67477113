"""Traces a block decoder, a function written for plain numbers, into a list of instructions.

The tracer runs the function once with stand-ins for its arguments. The stand-ins record every operation; loops unroll.
The result is straight-line code in which a value may as well be a vector of sixteen rows, and
`fourcc.kernels.fusing.fused` builds products from it. A function whose control flow depends on data cannot be traced.
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
from fourcc.kernels.fusing.integer_ranges import in_words, integer_kind
from fourcc.kernels.fusing.ir import BeyondError, Trace, UntraceableError, Value, in_float32

BlockDecoder = Callable[..., None]  # (part, …, weights): the number of parts, and so of arguments, is the format's


@dataclass(frozen=True)
class TracedPart:
    """A part of the format, as the block decoder sees it.

    Attributes:
        index: the part's number.
        dtype: of an entry.
        count: entries of a block; for a part of a row or of the whole matrix, all its entries.
        offset: bytes from the start of the block's bytes to the first entry.
        whole: whether the part belongs to the whole matrix, so that a value may index it.
    """

    index: int
    dtype: str
    count: int
    offset: int = 0
    whole: bool = False


class Entries:
    """Stands for a part's entries of one block."""

    def __init__(self, trace: Trace, part: TracedPart) -> None:
        self._trace, self._part = trace, part

    def __len__(self) -> int:
        return self._part.count

    def __getitem__(self, index: object) -> Value:
        part = self._part
        if isinstance(index, Value):
            if not part.whole:
                raise UntraceableError("an entry of the block is chosen by a value")
            if part.offset:
                raise UntraceableError("an entry of a record is chosen by a value")
            at = _index(index, part.count)
            return _entry(self._trace, part.dtype, "part_table", part.index, part.dtype, part.count, at)
        if not isinstance(index, (int, np.integer)):
            raise UntraceableError(f"an entry is chosen by a {type(index).__name__}")
        at = int(index) + (part.count if index < 0 else 0)
        if not 0 <= at < part.count:
            raise BeyondError(f"entry {index} of {part.count}")
        name, offset = "part_entry" if part.whole else "load", part.offset + at * np.dtype(part.dtype).itemsize
        return _entry(self._trace, part.dtype, name, part.index, part.dtype, offset)


def _entry(trace: Trace, dtype: str, name: str, *arguments: object) -> Value:
    """The value of an instruction that reads an entry of a dtype; it does not wrap around at the dtype's few bits."""
    given = np.dtype(dtype)
    if given.kind not in "fiu" or given.itemsize > 4:
        raise UntraceableError(f"entries of {dtype}")
    if given.kind == "f":
        return trace.real(name, *arguments)
    info = np.iinfo(given)
    return trace.whole(name, (int(info.min), int(info.max)), *arguments)


def _index(index: Value, count: int) -> int:
    """The instruction that computes an index into `count` entries; a negative index counts from the end."""
    low, high = index.held("an entry is chosen by")
    if low >= 0:
        return index.number
    if low < -count or count & (count - 1):
        raise UntraceableError(f"an entry of {count} is chosen by an integer of {in_words((low, high))}")
    return index.combine("and", count - 1).number


class Table:
    """Stands for a constant array that the function names."""

    def __init__(self, trace: Trace, values: Array) -> None:
        self._trace, self._values = trace, values
        self._number: int | None = None

    def __getattr__(self, name: str) -> object:
        return getattr(self._values, name)

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: object) -> object:
        if not isinstance(index, Value):
            return _number(self._values[index])  # type: ignore[call-overload]  # any index
        at = _index(index, len(self._values))
        if self._number is None:
            self._number = self._trace.table(_in_32_bits(self._values))
        table = self._trace.tables[self._number]
        if table.dtype.kind == "f":
            return self._trace.real("table", self._number, at)
        return self._trace.whole("table", (int(table.min()), int(table.max())), self._number, at)


def _number(entry: object) -> object:
    """An entry that is numpy's integer as an int, which cannot overflow; anything else, such as a slice, unchanged."""
    return int(entry) if isinstance(entry, np.integer) else entry


def _in_32_bits(values: Array) -> Array:
    """A table's entries as float32, as int32, or, where int32 does not hold them, as uint32."""
    if not len(values):
        raise UntraceableError("an entry is chosen from an empty table")
    if values.dtype.kind == "f":
        return in_float32(values)
    kind = integer_kind((int(values.min()), int(values.max())))
    if kind == "low":
        raise UntraceableError("a table of integers that 32 bits do not hold")
    return values.astype(np.int32 if kind == "int" else np.uint32)


class WeightWriter:
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
    function: BlockDecoder,
    parts: Sequence[TracedPart | Sequence[tuple[str, TracedPart]]],
    width: int,
    params: Mapping[str, object] | None = None,
) -> Trace:
    """The instructions of a block decoder.

    Args:
        function: (part, …, weights) writes the weights of one block; a part of records is a mapping of its fields.
        parts: the parts, or the fields of a record, by name.
        width: weights of a block.
        params: the layout's parameters, which the function takes by name.

    Raises:
        UntraceableError: the function cannot be traced, or leaves a weight unwritten.
        IndexError: it reads an entry, or writes a weight, that the block does not have.
        TypeError: it does not take these arguments.
    """
    recorded = Trace()
    arguments: list[object] = []
    for part in parts:
        if isinstance(part, TracedPart):
            arguments.append(Entries(recorded, part))
        else:
            arguments.append({name: Entries(recorded, field) for name, field in part})
    _run(function, recorded, [*arguments, WeightWriter(recorded, width)], params or {})
    missing = sorted(set(range(width)) - set(recorded.results))
    if missing:
        raise UntraceableError(f"it leaves weight {missing[0]} of {width} unwritten")
    return recorded


def _run(function: BlockDecoder, recorded: Trace, arguments: Sequence[object], params: Mapping[str, object]) -> None:
    """Runs the function on stand-ins."""
    with _refusing():
        copy = stand_in(function, recorded)
    try:
        signature(copy).bind(*arguments, **params)
    except TypeError as error:
        raise TypeError(f"{copy.__name__}() {error}") from None
    with _refusing():
        copy(*arguments, **params)


@contextmanager
def _refusing() -> Iterator[None]:
    """Turns the exceptions of a traced function into UntraceableError, and BeyondError into a plain IndexError."""
    try:
        yield
    except UntraceableError:
        raise
    except BeyondError as error:
        raise IndexError(str(error)) from None
    except Exception as error:
        raise UntraceableError(f"{type(error).__name__}: {error}") from error


def stand_in(function: Callable[..., Any], recorded: Trace) -> FunctionType:
    """Copies a plain function; stand-ins replace the arrays that it names, or that the functions it calls name."""
    plain = getattr(function, "py_func", function)
    if not isinstance(plain, FunctionType):
        raise UntraceableError(f"a {type(plain).__name__} is no Python function")
    names = names_of(plain.__code__)
    scope = {
        name: _seen(value, recorded) if name in names else value
        for name, value in plain.__globals__.items()
        if name in names or name.startswith("__")
    }
    cells = tuple(CellType(_seen(cell.cell_contents, recorded)) for cell in plain.__closure__ or ())
    copy = FunctionType(plain.__code__, scope, plain.__name__, plain.__defaults__, cells or None)
    copy.__kwdefaults__ = plain.__kwdefaults__
    return copy


def _seen(value: object, recorded: Trace) -> object:
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiu" and value.ndim == 1:
        return Table(recorded, value)
    if isinstance(value, FunctionType) or hasattr(value, "py_func"):
        return stand_in(value, recorded)  # type: ignore[arg-type]  # is a function
    return value
