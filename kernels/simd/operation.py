"""What an operation on vectors is: a Python function that says what it means, and a lowering to LLVM beside it.

A vector is 512 bits wide on every machine: 64 bytes, 16 floats or 8 doubles. Where registers are narrower, LLVM takes
several. In kernels that run uncompiled a vector is a numpy array, and an address is an address all the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import update_wrapper
from typing import Any

Build = Callable[..., Any]


@dataclass(frozen=True)
class Kind:
    """The type of a value in a kernel.

    Attributes:
        element: ``i8``, ``i16``, ``i32``, ``i64``, ``f32`` or ``f64``.
        lanes: elements of a vector; 0: a scalar.
        columns: vectors of a tile; 0: no tile. A tile is a small array of vectors that stays in registers.
    """

    element: str
    lanes: int = 0
    columns: int = 0

    def __str__(self) -> str:
        vector = f"{self.element}x{self.lanes}" if self.lanes else self.element
        return f"{vector}[{self.columns}]" if self.columns else vector


ADDRESS = INTEGER = Kind("i64")
FLOAT, DOUBLE = Kind("f32"), Kind("f64")
BYTES, SHORTS, INTS, LONGS = Kind("i8", 64), Kind("i16", 32), Kind("i32", 16), Kind("i64", 8)
FLOATS, DOUBLES = Kind("f32", 16), Kind("f64", 8)
NOTHING = Kind("void")


@dataclass(eq=False)
class Operation:
    """A named operation.

    Attributes:
        meaning: the function in Python; it runs where kernels are not compiled.
        takes: kinds of the arguments; None: any, of which `returns` makes the result.
        returns: kind of the result, or a function from the kinds of the arguments.
        build: (builder, *values) -> LLVM value.
    """

    meaning: Callable[..., Any]
    takes: tuple[Kind, ...] | None
    returns: Kind | Callable[..., Kind]
    build: Build = field(init=False, repr=False)

    def __post_init__(self) -> None:
        update_wrapper(self, self.meaning)

    def __call__(self, *arguments: Any) -> Any:
        """The operation in Python."""
        return self.meaning(*arguments)

    def lowered(self, build: Build) -> Build:
        """Decorates the function that builds the operation in LLVM."""
        self.build = build
        return build

    def result(self, kinds: tuple[Kind, ...]) -> Kind | None:
        """Kind of the result, or None where the arguments do not fit."""
        if self.takes is not None and kinds != self.takes:
            return None
        return self.returns if isinstance(self.returns, Kind) else self.returns(*kinds)


def operation(*takes: Kind, returns: Kind | Callable[..., Kind] = NOTHING) -> Callable[[Callable[..., Any]], Operation]:
    """Decorates the Python function of an operation; `returns` may be a function where any arguments are taken."""

    def make(meaning: Callable[..., Any]) -> Operation:
        return Operation(meaning, takes if isinstance(returns, Kind) else None, returns)

    return make
