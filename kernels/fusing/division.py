"""Whole division: floor semantics as Python's, by a multiplication and a shift where the range proves them exact."""

from __future__ import annotations

from fourcc.kernels.fusing.integer_ranges import INT32, RESULTS, UINT32, in_words, lies_within
from fourcc.kernels.fusing.ir import UntraceableError
from fourcc.kernels.fusing.values import Value

BYTES = 256  # numbers of a byte
MAY_BE_0 = "{} by a value that may be 0"


def multiplier(largest: int, divisor: int) -> tuple[int, int] | None:
    """Numbers m and s such that ``x * m >> s`` is ``x // divisor`` for every x of 0 .. `largest`, in 32 bits.

    m is 2^s / divisor, rounded up by e / divisor, with e < divisor. x * m / 2^s exceeds x / divisor by
    x * e / (2^s * divisor), which reaches no further integer while x * e < 2^s.
    """
    for shift in range(32):
        factor = -(-(1 << shift) // divisor)
        if largest * factor > UINT32[1]:
            return None
        if largest * (factor * divisor - (1 << shift)) < 1 << shift:
            return factor, shift
    return None


def divided(x: Value, y: Value) -> Value:
    """x // y of integers.

    Raises:
        UntraceableError: y may be 0, or 32 bits do not hold x or y.
    """
    of, by = x.held("// of"), _divisor("//", y)
    known = y.constant
    if known is None:
        return Value.whole(x.trace, "floordiv", RESULTS["floordiv"](of, by), x.number, y.number)
    return _by_negative(x, y, known) if known < 0 else _by_positive(x, y, known)


def _divisor(name: str, y: Value) -> tuple[int, int]:
    """The range of a divisor, which excludes 0."""
    by = y.held(f"{name} by")
    if by == (0, 0):
        raise UntraceableError(f"{name} by 0")
    if by[0] <= 0 <= by[1]:
        raise UntraceableError(f"{MAY_BE_0.format(name)}: it is {in_words(by)}")
    return by


def _by_negative(x: Value, y: Value, divisor: int) -> Value:
    assert x.bounds is not None
    if lies_within((-x.bounds[1], -x.bounds[0]), INT32):
        return _by_positive(-x, -y, -divisor)
    return Value.whole(x.trace, "floordiv", RESULTS["floordiv"](x.bounds, (divisor, divisor)), x.number, y.number)


def _by_positive(x: Value, y: Value, divisor: int) -> Value:
    """Divides what x is a quotient of, where it is one: x // a // b is x // ab, and needs not wait for x // a."""
    trace = x.trace
    if x.number in trace.quotients:
        number, other = trace.quotients[x.number]
        x, divisor = Value(trace, number, trace.bounds[number]), divisor * other
        y = Value.of(trace, divisor)
    made = _quotient(x, y, divisor)
    if made.constant is None:
        trace.quotients[made.number] = x.number, divisor
    return made


def _quotient(x: Value, y: Value, divisor: int) -> Value:
    assert x.bounds is not None
    (low, high), trace = x.bounds, x.trace
    bounds = low // divisor, high // divisor
    if divisor & (divisor - 1) == 0:
        return x if divisor == 1 else Value.whole(trace, "rshift", bounds, x.number, _bits(x, divisor))
    below = min(0, bounds[0])  # a multiple of the divisor makes x non-negative first, and is taken away again
    exact = multiplier(high - below * divisor, divisor)
    if exact is None or divisor > INT32[1]:
        return Value.whole(trace, "floordiv", bounds, x.number, y.number)
    factor, shift = exact
    made: Value = (x - below * divisor if below else x) * factor >> shift
    return Value.whole(trace, "add", bounds, made.number, Value.of(trace, below).number) if below else made


def _bits(x: Value, power: int) -> int:
    return Value.of(x.trace, power.bit_length() - 1).number


def _digit_of_byte(x: Value, base: int | None) -> Value | None:
    """x % base of an entry of eight bits, or of its quotient by a constant, if both are small: a digit."""
    number, divisor = x.trace.quotients.get(x.number, (x.number, 1))
    entry = x.trace.instructions[number]
    if entry.name != "load" or entry.arguments[1] != "|u1" or base is None or not 0 < base * divisor <= BYTES:
        return None
    part, _, offset = entry.arguments
    return Value.whole(x.trace, "digit", (0, min(base - 1, (BYTES - 1) // divisor)), part, offset, divisor, base)


def remainder(x: Value, y: Value) -> Value:
    """x % y of integers; its sign is y's.

    Raises:
        UntraceableError: y may be 0, or 32 bits do not hold x or y.
    """
    by = _divisor("%", y)
    known = y.constant
    if known is not None and known > 0 and known & (known - 1) == 0:
        masked: Value = x & (known - 1)
        return masked
    of = x.held("% of")
    if of[0] >= 0 and of[1] < by[0]:
        return x
    digit = _digit_of_byte(x, known)
    if digit is not None:
        return digit
    multiple = divided(x, y) * y
    return Value.whole(x.trace, "sub", RESULTS["mod"](of, by), x.number, multiple.number)
