"""Block decoders made up at random: what is traced gives, bit for bit, what plain Python gives; the rest is refused.

Plain Python here: integers without bounds, floats that are float32, an integer that meets a float rounded to one first.
"""

from __future__ import annotations

import operator
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from fourcc.arrays import Array
from fourcc.kernels.compiler import jit
from fourcc.kernels.descriptors import address, empty
from fourcc.kernels.fusing.ir import Trace, UntraceableError
from fourcc.kernels.fusing.ir_ops import panel_operation
from fourcc.kernels.fusing.operators import OPERATORS
from fourcc.kernels.fusing.sources import TracedPart
from fourcc.kernels.fusing.tracer import trace
from fourcc.kernels.fusing.values import Value
from tests.formats.checks import same_numbers
from tests.kernels.other_targets import on_any_processor, passes

Given = Any  # an integer or a float, in plain Python or as a stand-in; beside it what a step takes

ROWS, STARTED = 16, 4  # rows of a panel; entries of each part that a decoder begins with
DTYPES = ("|u1", "|i1", "<u2", "<i2", "<u4", "<i4", "<f2", "<f4")
WHOLE_NUMBERS = (0, 1, 2, 3, 4, 7, 8, 15, 16, 24, 31, 32, 33, 40, 63, 255, 4095, 65535, 2**31 - 1, 2**31, 2**32 - 1)
INTEGERS = (*WHOLE_NUMBERS, *(-each for each in WHOLE_NUMBERS), 2**32, 2**40, 0x0F0F0F0F, 0x55555555)
SINGLES = (0.0, -0.0, 0.1, 0.5, -1.5, 3.0, 1e-40, 1e30, -(2.0**31), float("inf"), float("nan"), 1e300)
INTO = ("f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f2", "f8", "?")
SIXTEEN = np.array([3, -7, 0, 100, -100, 5, 6, 7, 8, 9, 1, 2, -3, 127, -128, 4], np.int8)
THIRTY_TWO = np.linspace(-1, 1, 32) ** 3
SEVEN = (np.arange(7) * 700_000_000).astype(np.uint32)
LONG = (np.arange(64) * 2654435761 % 2**32 - 2**31).astype(np.int64)
TABLES = (16, 32, 7, 64)


class Whole(int):
    """An integer without bounds, in plain Python."""

    __array_ufunc__ = None  # a float32 on its left leaves the operator to it

    def astype(self, dtype: str) -> Whole | np.float32:
        """Like numpy's `astype`."""
        return single(self) if dtype == "f4" else Whole(np.array(self & (2**64 - 1), np.uint64).astype(dtype))


def single(value: object) -> np.float32:
    """A number as float32."""
    return np.float32(float(value))  # type: ignore[arg-type]


def plain(name: str) -> Callable[[Any, Any], Any]:
    """An operator on integers, and on an integer and a float."""
    act = getattr(operator, {"and": "and_", "or": "or_"}.get(name, name))

    def apply(left: Given, right: Given) -> Given:
        if name == "truediv" or isinstance(left, (float, np.float32)) or isinstance(right, (float, np.float32)):
            return np.float32(act(single(left), single(right)))
        return Whole(act(int(left), int(right)))

    return apply


for _name in OPERATORS:
    _act = plain(_name)
    setattr(Whole, f"__{_name}__", _act)
    setattr(Whole, f"__r{_name}__", lambda self, other, act=_act: act(other, self))
for _name in ("neg", "pos", "invert"):
    _act = getattr(operator, _name)
    setattr(Whole, f"__{_name}__", lambda self, act=_act: Whole(act(int(self))))

BINARY = {name: getattr(operator, {"and": "and_", "or": "or_"}.get(name, name)) for name in OPERATORS}
UNARY = {"neg": operator.neg, "pos": operator.pos, "invert": operator.invert}


@dataclass
class Program:
    """A decoder made up at random.

    Attributes:
        dtypes: of its parts.
        steps: (name, value, other value or constant); values are numbered: entries first, then what steps make.
        refused: steps, and weights (negative), that cannot be traced, and why.
    """

    dtypes: tuple[str, ...]
    steps: list[tuple[str, int, Any]]
    refused: dict[int, str] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """The number of weights: the entries, and the results of the steps."""
        return STARTED * len(self.dtypes) + len(self.steps)

    def decode(self) -> Callable[..., None]:
        """The decoder, as plugins write it."""
        return lambda *given: decoded(self, *given)


def decoded(program: Program, *given: Given) -> None:
    """The decoder of a program: every value becomes a weight."""
    *parts, weights = given
    values = [part[index] for part in parts for index in range(STARTED)]
    for number, step in enumerate(program.steps):
        made = values[step[1]]
        if number not in program.refused:
            try:
                made = taken(values, *step)
            except UntraceableError as error:
                program.refused[number] = str(error)
        values.append(made)
    for number, value in enumerate(values):
        weights[number] = 0
        if ~number not in program.refused:
            try:
                weights[number] = value
            except UntraceableError as error:
                program.refused[~number] = str(error)


def taken(values: list[Any], name: str, at: int, other: Given) -> Given:
    """Runs one step."""
    if name == "astype":
        return values[at].astype(other)
    if name == "table":
        return looked_up(*other, values[at])
    if name in UNARY:
        return UNARY[name](values[at])
    where, given = other
    pair = [values[at], values[given] if where == "value" else constant(given, values[at])]
    return BINARY[name](*(reversed(pair) if where == "left" else pair))


def constant(given: float, beside: Given) -> Given:
    """A constant as decoders write it; beside a Python number it becomes float32, as Python's floats are longer."""
    return given if isinstance(beside, Value) or isinstance(given, int) else single(given)


def looked_up(table: int, shift: int, mask: int, below: int, value: Given) -> Given:
    """An entry of a table, chosen by some bits of a value; negative indices count from the end."""
    index = (value >> shift if shift else value) & mask
    index = index - below if below else index
    if table == 0:
        return number(SIXTEEN[index])
    if table == 1:
        return number(THIRTY_TWO[index])
    return number(SEVEN[index] if table == 2 else LONG[index])


def number(entry: Given) -> Given:
    """A table's entry in plain Python; a stand-in unchanged."""
    if isinstance(entry, np.integer):
        return Whole(entry)
    return single(entry) if isinstance(entry, np.floating) else entry


def made_up(seed: int, count: int) -> Program:
    """A program of `count` steps."""
    pick = random.Random(seed)
    dtypes = tuple(pick.sample(DTYPES, 4))
    steps: list[tuple[str, int, Any]] = []
    while len(steps) < count:
        index = STARTED * len(dtypes) + len(steps)
        name = pick.choice([*OPERATORS, *OPERATORS, *UNARY, "astype", "table", "and", "rshift", "lshift"])
        at, other = pick.randrange(index), operand(pick, name, index)
        if name.endswith("shift") and other[0] != "right":  # by a value: else few would be within bounds
            steps.append(("and", at, ("right", 31)))
            at, other = (index, other) if other[0] == "left" else (other[1], ("value", index))
        steps.append((name, at, other))
    return Program(dtypes, steps)


def operand(pick: random.Random, name: str, index: int) -> Given:
    """The second operand of a step."""
    if name in UNARY:
        return None
    if name == "astype":
        return pick.choice(INTO)
    if name == "table":
        table = pick.randrange(len(TABLES))
        mask = {7: 3}.get(TABLES[table], TABLES[table] - 1)
        below = pick.choice([0, 0, TABLES[table] // 2, TABLES[table]])
        return table, pick.choice([0, 0, 4, 25, 28, 30, 31]), mask, below
    where = pick.choice(["value", "right", "right", "left"])
    if where == "value":
        return where, pick.randrange(index)
    if name.endswith("shift") and where == "right":
        return where, pick.randrange(-1, 34)
    return where, pick.choice(SINGLES if pick.random() < 0.2 else INTEGERS)


def stored(program: Program, seed: int) -> list[Array]:
    """Random bytes of each part, (rows, entries); NaN and infinity among the floats."""
    drawn = np.random.default_rng(seed)
    return [
        np.frombuffer(drawn.bytes(ROWS * STARTED * np.dtype(d).itemsize), d).reshape(ROWS, -1) for d in program.dtypes
    ]


def in_python(program: Program, parts: list[Array]) -> Array:
    """Weights (width, rows) as plain Python makes them."""
    out = np.zeros((ROWS, program.width), np.float32)
    with np.errstate(all="ignore"):
        for row in range(ROWS):
            program.decode()(*([number(entry) for entry in part[row]] for part in parts), out[row])
    return out.T


def traced(program: Program) -> Trace:
    """The program without the steps that cannot be traced."""
    sources = [TracedPart(index, dtype, STARTED) for index, dtype in enumerate(program.dtypes)]
    trace(program.decode(), sources, program.width)
    known = dict(program.refused)
    made = trace(program.decode(), sources, program.width)
    assert program.refused == known
    return made


def panel(program: Program, made: Trace, parts: list[Array], *, compiled: bool) -> Array:
    """Weights (width, rows) by the instructions of a trace."""
    write = panel_operation(made, [STARTED * np.dtype(dtype).itemsize for dtype in program.dtypes])

    def run(weights: int, job: int, first: int, last: int, scratch: int) -> None:
        write(weights, first, job)

    words = [np.ascontiguousarray(np.ascontiguousarray(part).view("<u4").T) for part in parts]  # (words, rows)
    sources = np.array([address(each) for each in words], np.int64)
    out = empty(program.width * ROWS, "<f4").reshape(program.width, ROWS)
    (jit.compiled(run) if compiled else run)(address(sources), address(out), 0, 0, 0)
    return out


def wrong_values(program: Program, seed: int, *, compiled: bool) -> Array:
    """The values of a program that are not those of plain Python."""
    made, parts = traced(program), stored(program, seed)
    expected, found = in_python(program, parts), panel(program, made, parts, compiled=compiled)
    return np.array([at for at in range(program.width) if not same_numbers(found[at], expected[at])])


@pytest.mark.parametrize("seed", range(100))
def test_steps_are_those_of_plain_python(seed: int) -> None:
    """The instructions run uncompiled."""
    program = made_up(seed, 60)
    wrong = wrong_values(program, seed, compiled=False)
    assert not wrong.size, told(program, wrong)


@pytest.mark.parametrize("seed", range(1000, 1004))
def test_compiled_steps_are_those_of_plain_python(seed: int) -> None:
    """The instructions run as machine code: few programs, with many steps."""
    program = made_up(seed, 400)
    wrong = wrong_values(program, seed, compiled=True)
    assert not wrong.size, told(program, wrong)


def test_compiled_indices_are_any_bits_of_a_word() -> None:
    """A look-up in registers uses only the low bits of an index; the bits beyond the highest are the sign's."""
    program = Program(("<i4", "<u4", "<i2", "|i1"), [])
    for part in range(4):
        for table in (0, 1, 3):
            steps = [("table", STARTED * part, (table, shift, TABLES[table] - 1, 0)) for shift in range(32)]
            program.steps.extend(steps)
    wrong = wrong_values(program, 1, compiled=True)
    assert not wrong.size, told(program, wrong)


@pytest.mark.thorough
@on_any_processor
def test_on_any_processor(name: str) -> None:
    """The instructions of other machines give the same."""
    passes(__file__, name, "compiled")


def told(program: Program, wrong: Array) -> str:
    """The first wrong value, and the steps that lead to it."""
    first = STARTED * len(program.dtypes)
    waiting, lines = [int(wrong[0])], []
    while waiting:
        at = waiting.pop()
        if at < first:
            lines.append(f"{at}: entry of {program.dtypes[at // STARTED]}")
            continue
        name, left, other = program.steps[at - first]
        lines.append(f"{at}: {name} {left} {other} {program.refused.get(at - first, '')}")
        waiting += [left, *([other[1]] if isinstance(other, tuple) and other[0] == "value" else [])]
    return f"{program.dtypes}: " + "; ".join(lines)


def test_what_is_drawn_says_something() -> None:
    """Every operator is traced, with values of both kinds and a constant on either side; most steps are traced."""
    seen: set[tuple[str, str]] = set()
    kept = count = 0
    for seed in range(100):
        program = made_up(seed, 60)
        traced(program)
        count += len(program.steps)
        for at, (name, _, other) in enumerate(program.steps):
            if at not in program.refused:
                kept += 1
                seen.add((name, other[0] if name in OPERATORS else ""))
    assert {(name, side) for name in OPERATORS for side in ("value", "left", "right")} <= seen
    assert {(name, "") for name in (*UNARY, "astype", "table")} <= seen
    assert kept > count / 2
