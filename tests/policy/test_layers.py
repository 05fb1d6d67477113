"""Layer slices against a slow reading of the same text, and against the mixes that recipes need."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.policy.layers import Layers

DEPTHS = range(1, 81)


def chosen(text: str, count: int) -> list[int]:
    layers = Layers.parse(text)
    return [i for i in range(count) if layers.match(i, count)]


def use_more_bits(i: int, n: int) -> bool:
    """The layers to which llama.cpp's mixed types give more bits."""
    return i < n // 8 or i >= 7 * n // 8 or (i - n // 8) % 3 == 2


@pytest.mark.parametrize(
    ("text", "count", "expected"),
    [
        (":", 3, [0, 1, 2]),
        ("0", 3, [0]),
        ("2", 3, [2]),
        ("3", 3, []),
        ("-1", 3, [2]),
        ("-3", 3, [0]),
        ("-4", 3, []),
        ("0:4", 8, [0, 1, 2, 3]),
        ("0:4, -2:", 8, [0, 1, 2, 3, 6, 7]),
        ("0:4,-2:", 3, [0, 1, 2]),
        (":-1", 4, [0, 1, 2]),
        ("-100:2", 4, [0, 1]),
        ("2:100", 4, [2, 3]),
        ("3:1", 4, []),
        ("::2", 5, [0, 2, 4]),
        ("1:6:2", 8, [1, 3, 5]),
        ("-100::3", 7, [0, 3, 6]),
        (":1/8", 32, [0, 1, 2, 3]),
        (":1/8", 7, []),
        ("7/8:", 10, [8, 9]),
        ("-1/4:", 10, [8, 9]),
        ("-1/8:", 7, []),
        ("1/2", 9, [4]),
        ("1/8-3:2", 8, [0, 1]),
        ("1/2-1:1/2+1", 10, [4, 5]),
        ("1/2 - 1 : 1/2 + 1", 10, [4, 5]),
        ("-1/2+1:", 4, [3]),
        ("3/1:", 2, []),
    ],
)
def test_slices(text: str, count: int, expected: list[int]) -> None:
    """Integers, fractions, sums and steps, within and beyond the model's ends."""
    assert chosen(text, count) == expected


@given(
    st.none() | st.integers(-12, 12),
    st.none() | st.integers(-12, 12),
    st.none() | st.integers(1, 5),
    st.integers(0, 10),
)
def test_integer_slices_are_pythons(start: int | None, stop: int | None, step: int | None, count: int) -> None:
    """Plain integers mean what they mean between Python's brackets."""
    text = ":".join("" if bound is None else str(bound) for bound in (start, stop))
    text += "" if step is None else f":{step}"
    assert chosen(text, count) == list(range(count))[start:stop:step]


@given(st.integers(0, 9), st.integers(1, 9), st.integers(0, 9), st.integers(0, 40))
def test_a_fraction_is_its_whole_part(a: int, b: int, more: int, count: int) -> None:
    """a/b + k is n*a//b + k, counted from the start or, with a minus before it, from the end."""
    assert chosen(f"{a}/{b}+{more}:", count) == [i for i in range(count) if i >= count * a // b + more]
    assert chosen(f"-{a}/{b}:", count) == [i for i in range(count) if i >= count - count * a // b]


@pytest.mark.parametrize("count", DEPTHS)
def test_the_mix_of_llama_cpp_is_three_slices(count: int) -> None:
    """The first and last eighth, and every third layer between, for every depth."""
    expected = [i for i in range(count) if use_more_bits(i, count)]
    assert chosen(":1/8, 7/8:, 1/8+2:7/8:3", count) == expected


@pytest.mark.parametrize(
    "text",
    ["", " ", "a", "1.5", "1:2:3:4", "0:4:0", "0:4:-1", "0:4:1/2", "1//2", "+1", "1+", "0:4,,1", "1 2", "--1", "٣"],
)
def test_what_spells_no_layers(text: str) -> None:
    """The message shows the text and two that are right."""
    with pytest.raises(ValueError, match="expected slices such as '0:4, -2:' or '1/8\\+2:7/8:3'"):
        Layers.parse(text)


def test_division_by_zero() -> None:
    """Parsing finds it, before there is a model."""
    with pytest.raises(ValueError, match="found '1/0', which divides by zero"):
        Layers.parse("2:1/0")


def test_numbers_are_bounded() -> None:
    """A bound of ten digits is refused; a layer number of any length costs nothing."""
    with pytest.raises(ValueError, match="expected slices"):
        Layers.parse("1234567890")
    assert Layers.parse("1:").match(10**30, 10**30 + 1)
