"""An operation on vectors: a Python function that defines its meaning, and its lowering to LLVM.

A vector is 512 bits wide on every machine: 64 bytes, 16 floats or 8 doubles. Where registers are narrower, LLVM uses
several. In kernels that run uncompiled a vector is a numpy array; an address is an address there too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import update_wrapper
from typing import Any

# (builder, *values) -> value: as many values as the operation has operands, and llvmlite has no types for any of them.
Build = Callable[..., Any]
Meaning = Callable[..., Any]  # operands are numpy arrays or Python's numbers, as many as the operation has


@dataclass(frozen=True)
class OperandKind:
    """The type of a value in a kernel.

    Attributes:
        element: ``i8``, ``i16``, ``i32``, ``i64``, ``f32`` or ``f64``.
        lanes: elements of a vector; 0 for a scalar.
        columns: vectors of a tile, a small array of vectors that stays in registers; 0 where there is no tile.
    """

    element: str
    lanes: int = 0
    columns: int = 0

    def __str__(self) -> str:
        vector = f"{self.element}x{self.lanes}" if self.lanes else self.element
        return f"{vector}[{self.columns}]" if self.columns else vector


ADDRESS = INTEGER = OperandKind("i64")
FLOAT, DOUBLE = OperandKind("f32"), OperandKind("f64")
BYTES, SHORTS, INTS, LONGS = (
    OperandKind("i8", 64),
    OperandKind("i16", 32),
    OperandKind("i32", 16),
    OperandKind("i64", 8),
)
FLOATS, DOUBLES = OperandKind("f32", 16), OperandKind("f64", 8)
NOTHING = OperandKind("void")


@dataclass(eq=False)
class Operation:
    """A named operation.

    Attributes:
        meaning: the function in Python; it runs where kernels are not compiled.
        takes: kinds of the operands; None: of any kinds, from which `returns` computes the result's.
        returns: kind of the result, or a function from the kinds of the operands.
        build: (builder, *values) -> LLVM value.
    """

    meaning: Meaning
    takes: tuple[OperandKind, ...] | None
    returns: OperandKind | Callable[..., OperandKind]
    build: Build = field(init=False, repr=False)

    def __post_init__(self) -> None:
        update_wrapper(self, self.meaning)

    def __call__(self, *arguments: Any) -> Any:
        """Runs the operation in Python."""
        return self.meaning(*arguments)

    def lowered(self, build: Build) -> Build:
        """Decorates the function that builds the operation in LLVM."""
        self.build = build
        return build

    def result(self, kinds: tuple[OperandKind, ...]) -> OperandKind | None:
        """The kind of the result, or None where the operands do not fit."""
        if self.takes is not None and kinds != self.takes:
            return None
        return self.returns if isinstance(self.returns, OperandKind) else self.returns(*kinds)


def operation(
    *takes: OperandKind, returns: OperandKind | Callable[..., OperandKind] = NOTHING
) -> Callable[[Meaning], Operation]:
    """Decorates the Python function of an operation; where `returns` is a function, the operands may be of any kind."""

    def make(meaning: Meaning) -> Operation:
        return Operation(meaning, takes if isinstance(returns, OperandKind) else None, returns)

    return make
