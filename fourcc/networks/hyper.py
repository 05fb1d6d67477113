"""The allowed values of a hyper-parameter: its type, its bounds, and whether a network needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

Hyper = Mapping[str, object]
MAX_COUNT = 2**31 - 1  # largest count
LARGEST = 3.4028234663852886e38  # largest float32
SMALLEST = 2.0**-126  # smallest normal float32
_SHOWN = 60  # characters of a value in a message


@attrs.frozen
class Key:
    """A network's requirements of a hyper-parameter.

    Attributes:
        expected: the allowed values, for messages.
        fits: value -> whether it is allowed.
        needed: whether no model can be run without it.
        only: the known words, where it is a text and the network knows only some.
    """

    expected: str
    fits: Callable[[object], bool]
    needed: bool = False
    only: tuple[str, ...] = ()


def count(lowest: int = 1, *, needed: bool = False) -> Key:
    """An integer; 4.0 and True are none."""
    return Key(
        f"an integer from {lowest} to {MAX_COUNT}",
        lambda value: type(value) is int and lowest <= value <= MAX_COUNT,
        needed,
    )


def number(lowest: float, *, needed: bool = False) -> Key:
    """A number that is finite in float32."""
    return Key(f"a number from {lowest:.4g} to {LARGEST:.4g}", lambda value: _is_number(value, lowest), needed)


def numbers(lowest: float) -> Key:
    """A list of numbers that are finite in float32."""
    return Key(
        f"a list of numbers from {lowest:.4g} to {LARGEST:.4g}",
        lambda value: isinstance(value, (list, tuple)) and all(_is_number(item, lowest) for item in value),
    )


def flag() -> Key:
    """True or false; 0 and 1 are neither."""
    return Key("true or false", lambda value: isinstance(value, bool))


def flags() -> Key:
    """A list of zeros and ones."""
    return Key(
        "a list of 0 and 1",
        lambda value: isinstance(value, (list, tuple)) and all(type(item) is int and item in (0, 1) for item in value),
    )


def text(*only: str, needed: bool = False) -> Key:
    """A text: one of the known words, or any text where none is named."""
    return Key("a text", lambda value: isinstance(value, str), needed, only)


def _is_number(value: object, lowest: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and lowest <= value <= LARGEST


def shown(value: object) -> str:
    """A value for a message; a long one is cut."""
    said = repr(value) if isinstance(value, str) else str(value)
    return said if len(said) <= _SHOWN else f"{said[:_SHOWN]}..."
