"""Steps that a function took: what `fourcc.kernels.fusing.tracer` writes down, and values that stand for numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fourcc.kernels.descriptors import Array
from fourcc.kernels.fusing.integer_ranges import INT32, INT128, RESULTS, Range, kind_of, lies_within, told

# What may be done with two numbers, and how it is written.
OPERATORS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "truediv": "/",
    "and": "&",
    "or": "|",
    "xor": "^",
    "lshift": "<<",
    "rshift": ">>",
}
OF_FLOATS = {"add", "sub", "mul", "truediv"}
COUNTS = (0, 31)  # bits of a shift: of a vector's 32 no more are defined
LIMIT = 20_000  # steps: beyond that the code would not stay in the processor's cache


class UntraceableError(ValueError):
    """The function does what cannot be written down; the message says what."""


class BeyondError(IndexError):
    """The function takes an entry, or writes a weight, that the block does not have."""


@dataclass(frozen=True)
class Step:
    """One operation.

    Attributes:
        name: ``load``, ``table``, ``constant``, ``to_float``, or an operator's.
        kind: of its result: ``int`` or ``uint`` (32 bits hold it), ``low`` (the lowest 32 bits of more), or ``float``
            (float32).
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
    known: dict[str, int] = field(default_factory=dict)

    def real(self, name: str, *arguments: Any) -> Value:
        """The value of a step that makes a float; an equal step is taken again."""
        return Value(self, self._add(Step(name, "float", arguments)), None)

    def whole(self, name: str, bounds: Range, *arguments: Any) -> Value:
        """The value of a step that makes an integer; an equal step is taken again.

        Raises:
            UntraceableError: 128 bits do not hold it.
        """
        if not lies_within(bounds, INT128):
            raise UntraceableError(f"{OPERATORS.get(name, name)} makes an integer of {told(bounds)}, {CUT.format(128)}")
        return Value(self, self._add(Step(name, kind_of(bounds), arguments)), bounds)

    def _add(self, step: Step) -> int:
        text = repr(step)  # 0.0 == -0.0
        if text not in self.known:
            if len(self.steps) >= LIMIT:
                raise UntraceableError(f"more than {LIMIT} steps")
            self.known[text] = len(self.steps)
            self.steps.append(step)
        return self.known[text]

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
            number = int(given)
            return self.whole("constant", (number, number), (number - INT32[0]) % (1 << 32) + INT32[0])
        if isinstance(given, (float, np.floating)):
            return self.real("constant", float(in_float32(np.asarray(given))))
        raise UntraceableError(f"a {type(given).__name__} meets a value of the block")


CUT = "which {} bits do not hold"


def in_float32(values: Array) -> Array:
    """Floats as float32.

    Raises:
        UntraceableError: one is beyond the largest.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # the latter of a signalling NaN
        made = values.astype(np.float32)
    lost = np.isinf(made) & np.isfinite(values)
    if lost.any():
        raise UntraceableError(f"float32 does not hold {values[lost].flat[0]}")
    return made


class Value:
    """Stands for a number of the block.

    Attributes:
        number: of its step.
        bounds: of an integer, between which it lies; None of a float.
    """

    __array_ufunc__ = None  # numpy's scalars leave their operators to those below

    def __init__(self, trace: Trace, number: int, bounds: Range | None) -> None:
        self._trace, self.number, self.bounds = trace, number, bounds

    @property
    def kind(self) -> str:
        """Its step's."""
        return self._trace.steps[self.number].kind

    def held(self, what: str) -> Range:
        """Bounds of an integer that has to be known as a whole.

        Args:
            what: wants it.

        Raises:
            UntraceableError: 32 bits do not hold it, or it is none.
        """
        if self.bounds is None:
            raise UntraceableError(f"{what} a float")
        if self.kind == "low":
            raise UntraceableError(f"{what} an integer of {told(self.bounds)}, {CUT.format(32)}")
        return self.bounds

    def as_float(self) -> Value:
        """The same number as a float, rounded to float32."""
        if self.bounds is None:
            return self
        if self.bounds[0] == self.bounds[1]:
            return self._trace.value(float(self.bounds[0]))
        self.held("a float is made of")
        return self._trace.real("to_float", self.number)

    def astype(self, dtype: object) -> Value:
        """As numpy's: float32, or an integer, of which as many bits are left as the dtype has."""
        given = np.dtype(dtype)  # type: ignore[call-overload]
        if given == np.float32:
            return self.as_float()
        if given.kind not in "iu":
            raise UntraceableError(f"a value becomes {given}, of floats there is float32 alone")
        if self.bounds is None:
            raise UntraceableError("a float becomes an integer")
        info = np.iinfo(given)
        return self if lies_within(self.bounds, (int(info.min), int(info.max))) else self._cut(info.bits, given.kind)

    def _cut(self, bits: int, kind: str) -> Value:
        """The lowest bits, as an integer with a sign or without one."""
        low = self.combine("and", (1 << bits) - 1)
        sign = 1 << (bits - 1)
        return low if kind == "u" else low.combine("xor", sign).combine("sub", sign)

    def combine(self, name: str, other: object, *, swapped: bool = False) -> Value:
        """What an operator makes of it and another number.

        Raises:
            UntraceableError: of these numbers it cannot be computed.
        """
        left, right = self, self._trace.value(other)
        if swapped:
            left, right = right, left
        if name == "truediv" or (name in OF_FLOATS and "float" in {left.kind, right.kind}):
            return self._trace.real(name, left.as_float().number, right.as_float().number)
        if left.bounds is None or right.bounds is None:
            raise UntraceableError(f"{OPERATORS[name]} of a float")
        if name in {"lshift", "rshift"} and not lies_within(right.bounds, COUNTS):
            raise UntraceableError(f"{OPERATORS[name]} by {told(right.bounds)} bits, where {told(COUNTS)} may be")
        if name == "rshift":
            left.held(">> of")
        return self._trace.whole(name, RESULTS[name](left.bounds, right.bounds), left.number, right.number)

    def __neg__(self) -> Value:
        return self.combine("sub", -0.0 if self.bounds is None else 0, swapped=True)

    def __pos__(self) -> Value:
        return self

    def __invert__(self) -> Value:
        return self.combine("xor", -1)

    def __bool__(self) -> bool:
        raise UntraceableError("what it does depends on a value")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = lambda self, _: bool(self)
    __hash__ = None  # type: ignore[assignment]
    __index__ = __float__ = __int__ = lambda self: int(bool(self))


def _operator(name: str, *, swapped: bool) -> Callable[[Value, object], Value]:
    return lambda self, other: self.combine(name, other, swapped=swapped)


for _name in OPERATORS:
    setattr(Value, f"__{_name}__", _operator(_name, swapped=False))
    setattr(Value, f"__r{_name}__", _operator(_name, swapped=True))
