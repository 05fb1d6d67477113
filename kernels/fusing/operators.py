"""The operators and the numpy functions that a block decoder may use, for the stand-ins that record them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fourcc.kernels.fusing.ir import UntraceableError

# Operations on two numbers, and on one, with their Python operators.
OPERATORS = {
    "add": "+",
    "sub": "-",
    "mul": "*",
    "truediv": "/",
    "floordiv": "//",
    "mod": "%",
    "pow": "**",
    "and": "&",
    "or": "|",
    "xor": "^",
    "lshift": "<<",
    "rshift": ">>",
}
COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}
UNARY = {"neg": "-", "pos": "+", "invert": "~", "abs": "abs"}
NAMES = {**OPERATORS, **COMPARISONS, **UNARY}

# numpy's element-by-element functions -> operation.
UFUNCS: dict[np.ufunc, str] = {
    np.add: "add",
    np.subtract: "sub",
    np.multiply: "mul",
    np.true_divide: "truediv",
    np.floor_divide: "floordiv",
    np.remainder: "mod",
    np.power: "pow",
    np.bitwise_and: "and",
    np.bitwise_or: "or",
    np.bitwise_xor: "xor",
    np.left_shift: "lshift",
    np.right_shift: "rshift",
    np.less: "lt",
    np.less_equal: "le",
    np.greater: "gt",
    np.greater_equal: "ge",
    np.equal: "eq",
    np.not_equal: "ne",
    np.negative: "neg",
    np.positive: "pos",
    np.invert: "invert",
    np.absolute: "abs",
    np.fabs: "fabs",
    np.minimum: "min",
    np.maximum: "max",
    np.sign: "sign",
    np.square: "square",
    np.logical_and: "both",
    np.logical_or: "either",
    np.logical_xor: "one",
    np.logical_not: "not",
}


class Operators:
    """Python's operators and numpy's functions, all of which call `apply`."""

    __slots__ = ()

    if TYPE_CHECKING:  # some of those that are set below

        def __add__(self, other: object) -> Any: ...
        def __sub__(self, other: object) -> Any: ...
        def __mul__(self, other: object) -> Any: ...
        def __and__(self, other: object) -> Any: ...
        def __xor__(self, other: object) -> Any: ...
        def __rshift__(self, other: object) -> Any: ...
        def __neg__(self) -> Any: ...

    def apply(self, name: str, *operands: object) -> Any:
        """The result of an operation by name, on single values, or entry by entry on vectors.

        `fourcc.kernels.fusing.vectors` sets it: there all kinds of operands are known.
        """
        raise NotImplementedError

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: object, **options: object) -> Any:
        """Numpy's element-by-element functions, and its operators where an array or numpy's number is on the left."""
        name = f"np.{ufunc.__name__}" if method == "__call__" else f"np.{ufunc.__name__}.{method}"
        if method != "__call__" or ufunc not in UFUNCS:
            raise UntraceableError(f"{name} of a value: block decoders that are traced do not know it")
        if set(options) - {"out"}:
            raise UntraceableError(f"{name} of a value takes no {', '.join(sorted(options))}")
        return self.apply(UFUNCS[ufunc], *inputs)

    def __array_function__(self, function: Any, _: object, given: tuple[Any, ...], options: dict[str, Any]) -> Any:
        """Numpy's other functions."""
        known = FUNCTIONS.get(function)
        if known is None:
            raise UntraceableError(f"np.{function.__name__} of a value: block decoders that are traced do not know it")
        return known(self, *given, **options)


def _where(one: Operators, condition: object, *choices: object) -> Any:
    if len(choices) != 2:
        raise UntraceableError("np.where takes a condition and two values")
    return one.apply("where", condition, *choices)


def _clip(one: Operators, value: object, a_min: object = None, a_max: object = None, **options: Any) -> Any:
    least, most = options.pop("min", a_min), options.pop("max", a_max)
    if options:
        raise UntraceableError(f"np.clip of a value takes no {', '.join(sorted(options))}")
    low = value if least is None else one.apply("max", value, least)
    return low if most is None else one.apply("min", low, most)


FUNCTIONS: dict[Any, Callable[..., Any]] = {np.where: _where, np.clip: _clip}


def _operator(name: str, *, swapped: bool) -> Callable[[Operators, object], Any]:
    def act(self: Operators, other: object) -> Any:
        return self.apply(name, *((other, self) if swapped else (self, other)))

    return act


def _unary(name: str) -> Callable[[Operators], Any]:
    return lambda self: self.apply(name, self)


for _name in OPERATORS:
    setattr(Operators, f"__{_name}__", _operator(_name, swapped=False))
    setattr(Operators, f"__r{_name}__", _operator(_name, swapped=True))
for _name in COMPARISONS:
    setattr(Operators, f"__{_name}__", _operator(_name, swapped=False))
for _name in UNARY:
    setattr(Operators, f"__{_name}__", _unary(_name))
