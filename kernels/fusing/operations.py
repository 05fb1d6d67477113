"""The operations on traced values: the instructions that each records, and what it refuses.

Integers are whole numbers without bounds, of which the kernel computes 32 bits; floats are float32. An integer that
meets a float is rounded to one first. A truth value is 0 or 1 wherever a number is wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fourcc.kernels.fusing.division import divided, remainder
from fourcc.kernels.fusing.integer_ranges import INT32, INT64, RESULTS, UINT32, Range, in_words, lies_within, union
from fourcc.kernels.fusing.ir import UntraceableError
from fourcc.kernels.fusing.operators import COMPARISONS, NAMES
from fourcc.kernels.fusing.values import Value

SHIFTS = (0, 31)  # bits; LLVM leaves a shift of 32-bit lanes by more bits undefined
POWERS = (0, 16)  # exponents: a product of so many factors


def _both_float(x: Value, y: Value) -> bool:
    return x.bounds is None or y.bounds is None


def _integers(name: str, *values: Value) -> tuple[Value, ...]:
    """The values as integers.

    Raises:
        UntraceableError: one is a float.
    """
    if any(value.bounds is None for value in values):
        raise UntraceableError(f"{NAMES[name]} of a float")
    return tuple(value.as_integer() for value in values)


def _ranges(x: Value, y: Value) -> tuple[Range, Range]:
    assert x.bounds is not None
    assert y.bounds is not None
    return x.bounds, y.bounds


def _arithmetic(name: str) -> Callable[[Value, Value], Value]:
    """Adds, subtracts or multiplies."""

    def act(x: Value, y: Value) -> Value:
        if _both_float(x, y):
            return Value.real(x.trace, name, x.as_float().number, y.as_float().number)
        x, y = x.as_integer(), y.as_integer()
        return Value.whole(x.trace, name, RESULTS[name](*_ranges(x, y)), x.number, y.number)

    return act


_add, _subtract, _multiply = map(_arithmetic, ("add", "sub", "mul"))


def _quotient(x: Value, y: Value) -> Value:
    return Value.real(x.trace, "truediv", x.as_float().number, y.as_float().number)


def _bitwise(name: str) -> Callable[[Value, Value], Value]:
    """Combines bits of integers, or two truth values."""

    def act(x: Value, y: Value) -> Value:
        if x.kind == y.kind == "truth":
            return Value.truth(x.trace, name, x.number, y.number)
        x, y = _integers(name, x, y)
        return Value.whole(x.trace, name, RESULTS[name](*_ranges(x, y)), x.number, y.number)

    return act


def _shift(name: str) -> Callable[[Value, Value], Value]:
    def act(x: Value, y: Value) -> Value:
        x, y = _integers(name, x, y)
        of, by = _ranges(x, y)
        if not lies_within(by, SHIFTS):
            raise UntraceableError(f"{NAMES[name]} by {in_words(by)} bits, where {in_words(SHIFTS)} may be")
        if name == "rshift":
            x.held(">> of")
        return Value.whole(x.trace, name, RESULTS[name](of, by), x.number, y.number)

    return act


def _floor_division(x: Value, y: Value) -> Value:
    return divided(*_integers("floordiv", x, y))


def _modulo(x: Value, y: Value) -> Value:
    return remainder(*_integers("mod", x, y))


def _power(x: Value, y: Value) -> Value:
    """A product of equal factors, from left to right."""
    if y.bounds is None:
        raise UntraceableError("** by a float")
    exponent = y.constant
    if exponent is None:
        raise UntraceableError("** by a value")
    if not POWERS[0] <= exponent <= POWERS[1]:
        raise UntraceableError(f"** by {exponent}, where {in_words(POWERS)} may be")
    if not exponent:
        return Value.of(x.trace, 1.0 if x.bounds is None else 1)
    made = x.as_integer()
    for _ in range(exponent - 1):
        made = _multiply(made, x)
    return made


def _negative(x: Value) -> Value:
    return _subtract(Value.of(x.trace, -0.0 if x.bounds is None else 0), x)


def _inverse(x: Value) -> Value:
    if x.kind == "truth":
        return Value.truth(x.trace, "xor", x.number, Value.of(x.trace, given=True).number)
    (x,) = _integers("invert", x)
    return _bitwise("xor")(x, Value.of(x.trace, -1))


def _absolute(x: Value) -> Value:
    if x.bounds is None:
        return Value.real(x.trace, "abs", x.number)
    x = x.as_integer()
    low, high = x.held("abs of")
    if low >= 0:
        return x
    negative = _compare("lt")(x, Value.of(x.trace, 0))
    return Value.whole(x.trace, "select", (0, max(-low, high)), negative.number, _negative(x).number, x.number)


def _float_absolute(x: Value) -> Value:
    return _absolute(x.as_float())


def _signedness(what: str, x: Value, y: Value) -> str:
    """``s`` or ``u``: how 32 bits of two integers are compared.

    Raises:
        UntraceableError: neither will do.
    """
    x.held(f"{what} of")
    y.held(f"{what} of")
    both = union(*_ranges(x, y))
    if lies_within(both, INT32):
        return "s"
    if not lies_within(both, UINT32):
        raise UntraceableError(f"{what} of integers of {in_words(both)}, which no 32 bits hold")
    return "u"


def _extreme(name: str) -> Callable[[Value, Value], Value]:
    """The smaller or the larger one; of floats NaN, if one is NaN, and the first, if they are equal."""

    def act(x: Value, y: Value) -> Value:
        if _both_float(x, y):
            return Value.real(x.trace, name, x.as_float().number, y.as_float().number)
        x, y = x.as_integer(), y.as_integer()
        bounds = RESULTS[name](*_ranges(x, y))
        sign = _signedness(name, x, y)
        return Value.whole(x.trace, sign + name, bounds, x.number, y.number)

    return act


def _compare(name: str) -> Callable[[Value, Value], Value]:
    """Compares; a comparison with NaN is false, but for !=."""
    if name in {"gt", "ge"}:
        mirrored = _compare({"gt": "lt", "ge": "le"}[name])
        return lambda x, y: mirrored(y, x)

    def act(x: Value, y: Value) -> Value:
        if _both_float(x, y):
            return Value.truth(x.trace, f"f{name}", x.as_float().number, y.as_float().number)
        x, y = x.as_integer(), y.as_integer()
        known = _known_comparison(name, *_ranges(x, y))
        if known is not None:
            return Value.of(x.trace, known)
        sign = _signedness(COMPARISONS[name], x, y)
        return Value.truth(x.trace, name if name in {"eq", "ne"} else sign + name, x.number, y.number)

    return act


def _known_comparison(name: str, x: Range, y: Range) -> bool | None:
    """The result, where the ranges decide it."""
    if not lies_within(union(x, y), INT64):
        return None
    apart = x[1] < y[0] or y[1] < x[0]
    if name in {"eq", "ne"}:
        return (name == "ne") if apart else None
    if x[1] < y[0] or (name == "le" and x[1] == y[0]):
        return True
    return False if y[1] < x[0] or (name == "lt" and y[1] == x[0]) else None


def _as_truth(x: Value) -> Value:
    return x if x.kind == "truth" else _compare("ne")(x, Value.of(x.trace, 0))


def _where(condition: Value, x: Value, y: Value) -> Value:
    """x where the condition is true or not 0, else y."""
    chosen = _as_truth(condition)
    if _both_float(x, y):
        return Value.real(x.trace, "select", chosen.number, x.as_float().number, y.as_float().number)
    if x.kind == y.kind == "truth":
        return Value.truth(x.trace, "select", chosen.number, x.number, y.number)
    x, y = x.as_integer(), y.as_integer()
    return Value.whole(x.trace, "select", union(*_ranges(x, y)), chosen.number, x.number, y.number)


def _sign(x: Value) -> Value:
    """-1, 0 or 1; NaN of NaN."""
    zero, one, less = (Value.of(x.trace, each) for each in (0, 1, -1))
    at_zero = zero if x.bounds is not None else _where(_compare("eq")(x, zero), zero, x)
    return _where(_compare("gt")(x, zero), one, _where(_compare("lt")(x, zero), less, at_zero))


def _logical(name: str) -> Callable[[Value, Value], Value]:
    return lambda x, y: _bitwise(name)(_as_truth(x), _as_truth(y))


OPERATIONS: dict[str, Callable[..., Value]] = {
    "add": _add,
    "sub": _subtract,
    "mul": _multiply,
    "truediv": _quotient,
    "floordiv": _floor_division,
    "mod": _modulo,
    "pow": _power,
    **{name: _bitwise(name) for name in ("and", "or", "xor")},
    **{name: _shift(name) for name in ("lshift", "rshift")},
    **{name: _compare(name) for name in COMPARISONS},
    "neg": _negative,
    "pos": lambda x: x.as_integer(),
    "invert": _inverse,
    "abs": _absolute,
    "fabs": _float_absolute,
    "min": _extreme("min"),
    "max": _extreme("max"),
    "sign": _sign,
    "square": lambda x: _multiply(x, x),
    "both": _logical("and"),
    "either": _logical("or"),
    "one": _logical("xor"),
    "not": lambda x: _inverse(_as_truth(x)),
    "where": _where,
}


def operate(name: str, *operands: Any) -> Value:
    """The value of an operation on single values and numbers, at least one of which is a value.

    Raises:
        UntraceableError: the operation is not defined for them.
    """
    trace = next(each.trace for each in operands if isinstance(each, Value))
    return OPERATIONS[name](*(Value.of(trace, each) for each in operands))
