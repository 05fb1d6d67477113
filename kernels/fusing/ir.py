"""The intermediate representation: instructions that `fourcc.kernels.fusing.tracer` records, and traced values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fourcc.kernels.descriptors import Array
from fourcc.kernels.fusing.integer_ranges import INT32, INT128, RESULTS, Range, in_words, integer_kind, lies_within

# The operations on two numbers, with their Python operators.
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
SHIFTS = (0, 31)  # bits; LLVM leaves a shift of 32-bit lanes by more bits undefined
LIMIT = 20_000  # instructions: the code of more of them would not stay in the processor's cache


class UntraceableError(ValueError):
    """The function cannot be traced; the message says why."""


class BeyondError(IndexError):
    """The function takes an entry, or writes a weight, that the block does not have."""


@dataclass(frozen=True)
class Instruction:
    """One instruction of a trace.

    Attributes:
        name: ``load``, ``part_entry``, ``table``, ``part_table``, ``constant``, ``to_float``, or a name in OPERATORS.
        kind: of the result: ``int`` or ``uint`` (32 bits hold it), ``low`` (the lowest 32 bits of a longer integer), or
            ``float`` (float32).
        arguments: numbers of earlier instructions, and constants such as a part, a dtype or an offset. Their types
            depend on the name.
    """

    name: str
    kind: str
    arguments: tuple[Any, ...]


@dataclass
class Trace:
    """The instructions of a block decoder.

    Attributes:
        instructions: in order; an instruction's number is its index.
        results: column of the block -> number of the instruction that computes its weight.
        tables: constant tables that values index, 32 bits an entry.
        known: text of an instruction -> its number.
    """

    instructions: list[Instruction] = field(default_factory=list)
    results: dict[int, int] = field(default_factory=dict)
    tables: list[Array] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)

    def real(self, name: str, *arguments: Any) -> Value:
        """The value of an instruction whose result is a float; equal instructions are recorded once."""
        return Value(self, self._add(Instruction(name, "float", arguments)), None)

    def whole(self, name: str, bounds: Range, *arguments: Any) -> Value:
        """The value of an instruction whose result is an integer; equal instructions are recorded once.

        Raises:
            UntraceableError: 128 bits do not hold the result.
        """
        if not lies_within(bounds, INT128):
            raise UntraceableError(
                f"{OPERATORS.get(name, name)} makes an integer of {in_words(bounds)}, {CUT.format(128)}"
            )
        return Value(self, self._add(Instruction(name, integer_kind(bounds), arguments)), bounds)

    def _add(self, instruction: Instruction) -> int:
        text = repr(instruction)  # not the instruction: 0.0 == -0.0
        if text not in self.known:
            if len(self.instructions) >= LIMIT:
                raise UntraceableError(f"more than {LIMIT} instructions")
            self.known[text] = len(self.instructions)
            self.instructions.append(instruction)
        return self.known[text]

    def table(self, values: Array) -> int:
        """The number of a table; equal tables are recorded once."""
        for number, known in enumerate(self.tables):
            if known.dtype == values.dtype and known.tobytes() == values.tobytes():
                return number
        self.tables.append(values)
        return len(self.tables) - 1

    def value(self, given: object) -> Value:
        """A traced value unchanged, a number as a constant."""
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
        UntraceableError: a finite float exceeds the largest float32.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # a signalling NaN is invalid
        narrow = values.astype(np.float32)
    lost = np.isinf(narrow) & np.isfinite(values)
    if lost.any():
        raise UntraceableError(f"float32 does not hold {values[lost].flat[0]}")
    return narrow


class Value:
    """A traced value: stands for a number that the decoder computes.

    Attributes:
        number: of the instruction that computes it.
        bounds: least and largest number that an integer may be; None for a float.
    """

    __array_ufunc__ = None  # so numpy's scalars defer to the operators below

    def __init__(self, trace: Trace, number: int, bounds: Range | None) -> None:
        self._trace, self.number, self.bounds = trace, number, bounds

    @property
    def kind(self) -> str:
        """The kind of its instruction."""
        return self._trace.instructions[self.number].kind

    def held(self, what: str) -> Range:
        """Bounds of an integer of which all bits are needed.

        Args:
            what: the operation that needs them, for the message.

        Raises:
            UntraceableError: the value is a float, or 32 bits do not hold it.
        """
        if self.bounds is None:
            raise UntraceableError(f"{what} a float")
        if self.kind == "low":
            raise UntraceableError(f"{what} an integer of {in_words(self.bounds)}, {CUT.format(32)}")
        return self.bounds

    def as_float(self) -> Value:
        """The number as a float, rounded to float32."""
        if self.bounds is None:
            return self
        if self.bounds[0] == self.bounds[1]:
            return self._trace.value(float(self.bounds[0]))
        self.held("a float is made of")
        return self._trace.real("to_float", self.number)

    def astype(self, dtype: object) -> Value:
        """Like numpy's `astype`: to float32, or to an integer of which the dtype's number of bits remains."""
        given = np.dtype(dtype)  # type: ignore[call-overload]  # the decoder may pass anything
        if given == np.float32:
            return self.as_float()
        if given.kind not in "iu":
            raise UntraceableError(f"a value becomes {given}, of floats there is float32 alone")
        if self.bounds is None:
            raise UntraceableError("a float becomes an integer")
        info = np.iinfo(given)
        return self if lies_within(self.bounds, (int(info.min), int(info.max))) else self._cut(info.bits, given.kind)

    def _cut(self, bits: int, kind: str) -> Value:
        """The lowest bits as an integer, signed for the kind ``i``, unsigned for ``u``."""
        low = self.combine("and", (1 << bits) - 1)
        sign = 1 << (bits - 1)
        return low if kind == "u" else low.combine("xor", sign).combine("sub", sign)

    def combine(self, name: str, other: object, *, swapped: bool = False) -> Value:
        """The result of an operator on this value and another number; `swapped`: this value is the right operand.

        Raises:
            UntraceableError: the operator is not defined for these numbers.
        """
        left, right = self, self._trace.value(other)
        if swapped:
            left, right = right, left
        if name == "truediv" or (name in OF_FLOATS and "float" in {left.kind, right.kind}):
            return self._trace.real(name, left.as_float().number, right.as_float().number)
        if left.bounds is None or right.bounds is None:
            raise UntraceableError(f"{OPERATORS[name]} of a float")
        if name in {"lshift", "rshift"} and not lies_within(right.bounds, SHIFTS):
            raise UntraceableError(
                f"{OPERATORS[name]} by {in_words(right.bounds)} bits, where {in_words(SHIFTS)} may be"
            )
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
    __hash__ = None  # type: ignore[assignment]  # Python's way to forbid it
    __index__ = __float__ = __int__ = lambda self: int(bool(self))


def _operator(name: str, *, swapped: bool) -> Callable[[Value, object], Value]:
    return lambda self, other: self.combine(name, other, swapped=swapped)


for _name in OPERATORS:
    setattr(Value, f"__{_name}__", _operator(_name, swapped=False))
    setattr(Value, f"__r{_name}__", _operator(_name, swapped=True))
