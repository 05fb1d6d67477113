"""Steps that a function took: what `fourcc.kernels.tracing` writes down, and values that stand for numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

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
