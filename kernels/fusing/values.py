"""Traced values: each stands for a number that the block decoder computes, and records what is done with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from fourcc.kernels.fusing.integer_ranges import INT32, INT64, UINT32, Range, in_words, lies_within
from fourcc.kernels.fusing.ir import CUT, Trace, UntraceableError, in_float32
from fourcc.kernels.fusing.operators import Operators

INSTEAD = "write np.where(condition, a, b), which chooses a value"


class Value(Operators):
    """A traced value.

    Attributes:
        trace: what records it.
        number: of the instruction that computes it.
        bounds: least and largest number that an integer may be, 0 and 1 for a truth value; None for a float.
    """

    __hash__ = None  # type: ignore[assignment]  # Python's way to forbid it

    def __init__(self, trace: Trace, number: int, bounds: Range | None) -> None:
        self.trace, self.number, self.bounds = trace, number, bounds

    @classmethod
    def real(cls, trace: Trace, name: str, *arguments: Any) -> Value:
        """The value of an instruction whose result is a float."""
        return cls(trace, trace.add(name, "float", None, *arguments), None)

    @classmethod
    def whole(cls, trace: Trace, name: str, bounds: Range, *arguments: Any) -> Value:
        """The value of an instruction whose result is an integer."""
        return cls(trace, trace.integer(name, bounds, *arguments), bounds)

    @classmethod
    def truth(cls, trace: Trace, name: str, *arguments: Any) -> Value:
        """The value of an instruction whose result is true or false."""
        return cls(trace, trace.add(name, "truth", (0, 1), *arguments), (0, 1))

    @classmethod
    def of(cls, trace: Trace, given: object) -> Value:
        """A traced value unchanged, a number as a constant.

        Raises:
            UntraceableError: it is neither.
        """
        if isinstance(given, Value):
            return given
        if isinstance(given, (bool, np.bool_)):
            return cls.truth(trace, "constant", bool(given))
        if isinstance(given, (int, np.integer)):
            return cls.whole(trace, "constant", (int(given), int(given)), int(given))
        if isinstance(given, (float, np.floating)):
            return cls.real(trace, "constant", float(in_float32(np.asarray(given))))
        raise UntraceableError(f"a {type(given).__name__} meets a value of the block")

    @property
    def kind(self) -> str:
        """The kind of its instruction."""
        return self.trace.instructions[self.number].kind

    @property
    def constant(self) -> int | None:
        """The only integer that it may be; None where there are several, or floats."""
        return self.bounds[0] if self.bounds is not None and self.bounds[0] == self.bounds[1] else None

    def held(self, what: str) -> Range:
        """Bounds of an integer of which all bits are needed.

        Args:
            what: the operation that needs them, for the message.

        Raises:
            UntraceableError: the value is a float, or 32 bits do not hold it.
        """
        if self.bounds is None:
            raise UntraceableError(f"{what} a float")
        if not (lies_within(self.bounds, INT32) or lies_within(self.bounds, UINT32)):
            raise UntraceableError(f"{what} an integer of {in_words(self.bounds)}, {CUT.format(32)}")
        return self.bounds

    def as_float(self) -> Value:
        """The number as a float, rounded to float32."""
        if self.bounds is None:
            return self
        known = self.constant
        if known is not None and lies_within((known, known), INT64):
            return Value.of(self.trace, float(known))
        self.held("a float is made of")
        return Value.real(self.trace, "to_float", self.as_integer().number)

    def as_integer(self) -> Value:
        """A truth value as 0 or 1, another value unchanged."""
        return self if self.kind != "truth" else Value.whole(self.trace, "to_int", (0, 1), self.number)

    def astype(self, dtype: object) -> Any:
        """Like numpy's `astype`: to float32, or to an integer of which the dtype's number of bits remains."""
        given = np.dtype(dtype)  # type: ignore[call-overload]  # the decoder may pass anything
        if given == np.float32:
            return self.as_float()
        if given.kind == "b":
            return self.apply("ne", self, 0)
        if given.kind not in "iu":
            raise UntraceableError(f"a value becomes {given}, of floats there is float32 alone")
        if self.bounds is None:
            raise UntraceableError("a float becomes an integer")
        info, integer = np.iinfo(given), self.as_integer()
        if lies_within(self.bounds, (int(info.min), int(info.max))):
            return integer
        low, sign = integer & ((1 << info.bits) - 1), 1 << (info.bits - 1)
        return low if given.kind == "u" else (low ^ sign) - sign

    def __bool__(self) -> bool:
        raise UntraceableError(f"what it does depends on a value (if, and, or, not, while): {INSTEAD}")

    def __index__(self) -> int:
        raise UntraceableError("a value becomes an index: only arrays of the module and parts of the matrix have such")

    def __int__(self) -> int:
        raise UntraceableError(f"int of a value: write .astype(np.int32), or {INSTEAD}")

    def __float__(self) -> float:
        raise UntraceableError(f"float of a value, as math.exp asks: write .astype(np.float32), TABLE[x], or {INSTEAD}")

    def __iter__(self) -> Any:
        raise UntraceableError("a value is taken for a vector: it is a single number")
