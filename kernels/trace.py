"""From a function that decodes one block, written for plain numbers, to the list of steps that it takes.

The function is run once with stand-ins for its arguments: every operation on them is written down, loops run as they
are. What comes out is straight-line code in which each value may as well be a vector of sixteen rows;
`fourcc.kernels.fused` builds products from it. A function that looks at a value to decide what to do next cannot be
written down so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import CellType, FunctionType
from typing import Any

import numpy as np

from fourcc.kernels.objects import names_of
from fourcc.kernels.operands import Array

KINDS = ("float", "uint", "int")  # where two meet, the first of them
SHIFTS = {"rshift", "lshift"}
LIMIT = 20_000  # steps: beyond that the code would not stay in the processor's cache


class UntraceableError(ValueError):
    """The function does what cannot be written down; the message says what."""


@dataclass(frozen=True)
class Step:
    """One operation.

    Attributes:
        name: ``load``, ``table``, ``constant``, ``to_float``, or an operator's.
        kind: of its result: ``int`` or ``uint`` (32 bits), or ``float`` (float32).
        arguments: numbers of earlier steps, or what the operation is about.
    """

    name: str
    kind: str
    arguments: tuple[Any, ...]


@dataclass
class Trace:
    """The steps of a block's decoder.

    Attributes:
        steps: in order.
        results: for each column of the block the number of the step that gives its weight.
        tables: of constants that are chosen from, 32 bits an entry.
    """

    steps: list[Step] = field(default_factory=list)
    results: dict[int, int] = field(default_factory=dict)
    tables: list[Array] = field(default_factory=list)
    known: dict[Step, int] = field(default_factory=dict)

    def add(self, name: str, kind: str, *arguments: Any) -> Value:
        """The value of a step; an equal one is taken again."""
        step = Step(name, kind, arguments)
        if step not in self.known:
            if len(self.steps) >= LIMIT:
                raise UntraceableError(f"more than {LIMIT} steps")
            self.known[step] = len(self.steps)
            self.steps.append(step)
        return Value(self, self.known[step], kind)

    def table(self, values: Array) -> int:
        """The number of a table; an equal one is taken again."""
        for number, known in enumerate(self.tables):
            if known.dtype == values.dtype and known.tobytes() == values.tobytes():
                return number
        self.tables.append(values)
        return len(self.tables) - 1

    def value(self, given: object) -> Value:
        """A stand-in as it is, a number as a constant."""
        if isinstance(given, Value):
            return given
        if isinstance(given, (int, np.integer)):
            return self.add("constant", "int", int(given))
        if isinstance(given, (float, np.floating)):
            return self.add("constant", "float", float(np.float32(given)))
        raise UntraceableError(f"a {type(given).__name__} meets a value of the block")


class Value:
    """Stands for a number of the block."""

    __array_ufunc__ = None  # numpy's scalars leave their operators to those below

    def __init__(self, trace: Trace, number: int, kind: str) -> None:
        self._trace, self.number, self.kind = trace, number, kind

    def _binary(self, name: str, other: object, *, swapped: bool = False, integers: bool = False) -> Value:
        left, right = self, self._trace.value(other)
        if swapped:
            left, right = right, left
        kinds = {left.kind, right.kind}
        if integers and "float" in kinds:
            raise UntraceableError(f"{name} of a float")
        if "float" in kinds or name == "truediv":
            left, right, kinds = left.as_float(), right.as_float(), {"float"}
        kind = left.kind if name in SHIFTS else next(each for each in KINDS if each in kinds)
        return self._trace.add(name, kind, left.number, right.number)

    def as_float(self) -> Value:
        """The same number as a float."""
        return self if self.kind == "float" else self._trace.add("to_float", "float", self.number)

    def astype(self, dtype: object) -> Value:
        """As numpy's: float32, or int32."""
        kind = np.dtype(dtype).kind  # type: ignore[call-overload]
        if kind == "f":
            return self.as_float()
        if self.kind == "float":
            raise UntraceableError("a float becomes an integer")
        return self

    def __add__(self, other: object) -> Value:
        return self._binary("add", other)

    def __radd__(self, other: object) -> Value:
        return self._binary("add", other, swapped=True)

    def __sub__(self, other: object) -> Value:
        return self._binary("sub", other)

    def __rsub__(self, other: object) -> Value:
        return self._binary("sub", other, swapped=True)

    def __mul__(self, other: object) -> Value:
        return self._binary("mul", other)

    def __rmul__(self, other: object) -> Value:
        return self._binary("mul", other, swapped=True)

    def __truediv__(self, other: object) -> Value:
        return self._binary("truediv", other)

    def __rtruediv__(self, other: object) -> Value:
        return self._binary("truediv", other, swapped=True)

    def __neg__(self) -> Value:
        return self._binary("sub", 0, swapped=True)

    def __and__(self, other: object) -> Value:
        return self._binary("and", other, integers=True)

    __rand__ = __and__

    def __or__(self, other: object) -> Value:
        return self._binary("or", other, integers=True)

    __ror__ = __or__

    def __xor__(self, other: object) -> Value:
        return self._binary("xor", other, integers=True)

    __rxor__ = __xor__

    def __rshift__(self, other: object) -> Value:
        return self._binary("rshift", other, integers=True)

    def __lshift__(self, other: object) -> Value:
        return self._binary("lshift", other, integers=True)

    def __bool__(self) -> bool:
        raise UntraceableError("what it does depends on a value")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = lambda self, _: bool(self)
    __hash__ = None  # type: ignore[assignment]
    __index__ = __float__ = __int__ = lambda self: int(bool(self))


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
