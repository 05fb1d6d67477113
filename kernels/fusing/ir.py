"""The intermediate representation: instructions that `fourcc.kernels.fusing.tracer` records, and errors of tracing."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fourcc.kernels.descriptors import Array
from fourcc.kernels.fusing.integer_ranges import INT32, INT128, Range, in_words, integer_kind, lies_within

LIMIT = 20_000  # instructions: the code of more of them would not stay in the processor's cache
CUT = "which {} bits do not hold"


class UntraceableError(ValueError):
    """The function cannot be traced; the message says why, and in which line."""


class BeyondError(IndexError):
    """The function takes an entry, or writes a weight, that the block does not have."""


@dataclass(frozen=True)
class Instruction:
    """One instruction of a trace.

    Attributes:
        name: ``load``, ``bits``, ``digit`` (of a byte) and ``part_entry`` read a part, ``table`` and ``part_table`` look
            up; ``constant``, ``to_float`` (of an integer), ``to_int`` (of a truth); the others compute, as
            `fourcc.kernels.fusing.evaluation` says.
        kind: of the result: ``int`` or ``uint`` (32 bits hold it), ``low`` (the lowest 32 bits of a longer integer),
            ``float`` (float32) or ``truth``.
        arguments: numbers of earlier instructions, and constants such as a part, a dtype or an offset. Their types
            depend on the name.
    """

    name: str
    kind: str
    arguments: tuple[Any, ...]


# The instructions whose arguments are not all numbers of instructions -> index of the argument that is one, if any is.
READS: dict[str, int | None] = {
    "constant": None,
    "load": None,
    "bits": None,
    "digit": None,
    "part_entry": None,
    "table": 1,
    "part_table": 3,
}


def operands_of(instruction: Instruction) -> tuple[int, ...]:
    """Numbers of the instructions whose results an instruction takes."""
    if instruction.name not in READS:
        return instruction.arguments
    at = READS[instruction.name]
    return () if at is None else (instruction.arguments[at],)


@dataclass
class Trace:
    """The instructions of a block decoder.

    Attributes:
        instructions: in order; an instruction's number is its index.
        bounds: of each instruction, the least and the largest integer that it may make; None for floats.
        results: column of the block -> number of the instruction that computes its weight.
        tables: constant tables that values index, 32 bits an entry.
        known: text of an instruction -> its number.
        quotients: number of an instruction that divides by a positive constant -> number of what it divides, constant.
    """

    instructions: list[Instruction] = field(default_factory=list)
    bounds: list[Range | None] = field(default_factory=list)
    results: dict[int, int] = field(default_factory=dict)
    tables: list[Array] = field(default_factory=list)
    known: dict[str, int] = field(default_factory=dict)
    quotients: dict[int, tuple[int, int]] = field(default_factory=dict)

    def add(self, name: str, kind: str, bounds: Range | None, *arguments: Any) -> int:
        """The number of an instruction; equal instructions are recorded once.

        Raises:
            UntraceableError: there are too many.
        """
        text = f"{name} {kind} {arguments}"  # not the instruction: 0.0 == -0.0
        if text not in self.known:
            if len(self.instructions) >= LIMIT:
                raise UntraceableError(f"more than {LIMIT} instructions")
            self.known[text] = len(self.instructions)
            self.instructions.append(Instruction(name, kind, arguments))
            self.bounds.append(bounds)
        return self.known[text]

    def integer(self, name: str, bounds: Range, *arguments: Any) -> int:
        """The number of an instruction whose result is an integer; of a constant, where only one is possible.

        Raises:
            UntraceableError: 128 bits do not hold the result.
        """
        if not lies_within(bounds, INT128):
            raise UntraceableError(f"an integer becomes {in_words(bounds)}, {CUT.format(128)}")
        if bounds[0] == bounds[1]:
            name, arguments = "constant", ((bounds[0] - INT32[0]) % (1 << 32) + INT32[0],)
        return self.add(name, integer_kind(bounds), bounds, *arguments)

    def table(self, values: Array) -> int:
        """The number of a table; equal tables are recorded once."""
        for number, known in enumerate(self.tables):
            if known.dtype == values.dtype and known.tobytes() == values.tobytes():
                return number
        self.tables.append(values)
        return len(self.tables) - 1


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


def in_32_bits(values: Array) -> Array:
    """A table's entries as float32, as int32, or, where int32 does not hold them, as uint32.

    Raises:
        UntraceableError: the table is empty, or 32 bits do not hold its entries.
    """
    if not len(values):
        raise UntraceableError("an entry is chosen from an empty table")
    if values.dtype.kind == "f":
        return in_float32(values)
    kind = integer_kind((int(values.min()), int(values.max())))
    if kind == "low":
        raise UntraceableError("a table of integers that 32 bits do not hold")
    return values.astype(np.int32 if kind == "int" else np.uint32)
