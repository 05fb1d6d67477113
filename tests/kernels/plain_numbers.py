"""The meaning of block decoders, in plain Python: one block at a time, one number at a time.

Integers have no bounds, floats are float32; an integer that meets a float is rounded to one first; a truth value is 0
or 1 as a number. `NUMPY` stands for numpy in the text of a decoder, `least` and `largest` for min and max.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np


def single(value: Any) -> np.float32:
    """A number as float32."""
    return np.float32(float(value))


def is_float(value: Any) -> bool:
    """Whether a number is a float."""
    return isinstance(value, (float, np.floating))


def raised(x: Any, exponent: int) -> Any:
    """A product of equal factors, from left to right."""
    if not is_float(x):
        return int(x) ** exponent
    made = single(1)
    for number in range(exponent):
        made = np.float32(made * single(x)) if number else single(x)
    return made


def smaller(x: Any, y: Any) -> Any:
    """NaN, if one is NaN; the first, if both are equal."""
    if x != x or y != y:  # noqa: PLR0124 - NaN
        return x if x != x else y  # noqa: PLR0124 - NaN
    return min(x, y)


def larger(x: Any, y: Any) -> Any:
    """NaN, if one is NaN; the first, if both are equal."""
    if x != x or y != y:  # noqa: PLR0124 - NaN
        return x if x != x else y  # noqa: PLR0124 - NaN
    return max(x, y)


def sign(x: Any) -> Any:
    """-1, 0 or 1; NaN of NaN."""
    if x != x:  # noqa: PLR0124 - NaN
        return x
    whole = int(x > 0) - int(x < 0)
    return single(whole) if is_float(x) else whole


ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "lshift": operator.lshift,
    "rshift": operator.rshift,
    "min": smaller,
    "max": larger,
}
COMPARED = {name: getattr(operator, name) for name in ("lt", "le", "gt", "ge", "eq", "ne")}
BITS = {"and": operator.and_, "or": operator.or_, "xor": operator.xor}


def joined(name: str, x: Any, y: Any) -> Any:
    """An operation on two plain numbers: bool, int or np.float32."""
    if name == "truediv":
        return np.float32(single(x) / single(y))
    if name == "pow":
        return raised(x, y)
    floats = is_float(x) or is_float(y)
    pair = (single(x), single(y)) if floats else (x, y)
    if name in COMPARED:
        return bool(COMPARED[name](*pair))
    if name in BITS:
        return BITS[name](*pair)  # of two bools a bool
    made = ARITHMETIC[name](*(pair if floats else map(int, pair)))
    return np.float32(made) if floats else int(made)


def of_one(name: str, x: Any) -> Any:
    """An operation on one plain number."""
    if name == "invert":
        return not x if isinstance(x, bool) else ~x
    number = int(x) if isinstance(x, bool) else x
    return {"neg": operator.neg, "pos": operator.pos, "abs": abs, "sign": sign}[name](number)


def choose(condition: Any, x: Any, y: Any) -> Any:
    """One of two numbers; a float, if one is a float."""
    taken = x if condition != 0 else y
    if is_float(x) or is_float(y):
        return single(taken)
    return taken if isinstance(x, bool) and isinstance(y, bool) else int(taken)


class Plain:
    """A number of a block, or several as a list."""

    __array_ufunc__ = None

    def __init__(self, value: Any) -> None:
        self.value = value

    def astype(self, dtype: Any) -> Plain:
        """Like numpy's."""
        return mapped(lambda value: cast(value, np.dtype(dtype)), self)

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Plain]:
        return map(Plain, self.value)

    def __getitem__(self, index: Any) -> Plain:
        return Plain(self.value[index])

    def sum(self) -> Plain:
        """From the first to the last."""
        made = self.value[0]
        for each in self.value[1:]:
            made = joined("add", made, each)
        return Plain(made)


def cast(value: Any, dtype: np.dtype[Any]) -> Any:
    """A number of another type; of integers the lowest bits remain."""
    if dtype.kind == "f":
        return single(value)
    if dtype.kind == "b":
        return bool(value != 0)
    return int(np.array(int(value) & (2**64 - 1), np.uint64).astype(dtype))


def mapped(act: Callable[..., Any], *given: Any) -> Plain:
    """A function of numbers, entry by entry where there are lists."""
    values = [each.value if isinstance(each, Plain) else each for each in given]
    lengths = [len(each) for each in values if isinstance(each, Sequence)]
    if not lengths:
        return Plain(act(*values))
    count = max(lengths)
    lists = [list(each) * (count // len(each)) if isinstance(each, Sequence) else [each] * count for each in values]
    return Plain([act(*row) for row in zip(*lists, strict=True)])


def _binary(name: str) -> tuple[Callable[[Any, Any], Plain], Callable[[Any, Any], Plain]]:
    def act(x: Any, y: Any) -> Any:
        return joined(name, x, y)

    return lambda self, other: mapped(act, self, other), lambda self, other: mapped(act, other, self)


for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lshift", "rshift", *BITS):
    _left, _right = _binary(_name)
    setattr(Plain, f"__{_name}__", _left)
    setattr(Plain, f"__r{_name}__", _right)
for _name in COMPARED:
    setattr(Plain, f"__{_name}__", _binary(_name)[0])
for _name in ("neg", "pos", "abs", "invert"):
    setattr(Plain, f"__{_name}__", lambda self, name=_name: mapped(lambda value: of_one(name, value), self))


class PlainTable(Plain):
    """A table: an index counts modulo 2^k where there are 2^k; one beyond the end of another takes the last."""

    def __init__(self, entries: Any) -> None:
        array = np.asarray(entries)
        super().__init__([single(each) if array.dtype.kind == "f" else int(each) for each in array])

    def __getitem__(self, index: Any) -> Plain:
        return mapped(self._at, index) if isinstance(index, Plain) else super().__getitem__(index)

    def _at(self, index: Any) -> Any:
        count = len(self.value)
        return self.value[int(index) % count if count & (count - 1) == 0 else min(int(index), count - 1)]


class PlainWeights:
    """The weights of one block."""

    def __init__(self, width: int) -> None:
        self.values: list[Any] = [None] * width

    def __setitem__(self, index: Any, given: Any) -> None:
        value = given.value if isinstance(given, Plain) else given
        if isinstance(index, slice):
            chosen = range(len(self.values))[index]
            entries = value if isinstance(value, list) else [value]
            for at, each in zip(chosen, entries * (len(chosen) // len(entries)), strict=True):
                self.values[at] = single(each)
        else:
            self.values[index] = single(value)

    def __getitem__(self, index: int) -> Plain:
        return Plain(self.values[index])


def uniform(entries: list[Any]) -> list[Any]:
    """Floats, where one is a float; truth values, where all are; else integers."""
    if any(map(is_float, entries)):
        return list(map(single, entries))
    return entries if all(isinstance(each, bool) for each in entries) else list(map(int, entries))


def least(x: Any, y: Any) -> Plain:
    """Python's min."""
    return mapped(lambda a, b: joined("min", a, b), x, y)


def largest(x: Any, y: Any) -> Plain:
    """Python's max."""
    return mapped(lambda a, b: joined("max", a, b), x, y)


NUMPY = SimpleNamespace(
    array=lambda entries: Plain(uniform([each.value if isinstance(each, Plain) else each for each in entries])),
    where=lambda condition, x, y: mapped(choose, condition, x, y),
    minimum=least,
    maximum=largest,
    clip=lambda value, low, high: least(largest(value, low), high),
    sign=lambda value: mapped(lambda each: of_one("sign", each), value),
    abs=abs,
    float32=lambda value: value.astype(np.float32) if isinstance(value, Plain) else single(value),
    logical_and=lambda x, y: mapped(lambda a, b: bool(a != 0) and bool(b != 0), x, y),
    concatenate=lambda vectors: Plain(uniform([each for vector in vectors for each in vector.value])),
)
