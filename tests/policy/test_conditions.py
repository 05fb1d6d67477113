"""Conditions on a number of a shape."""

import pytest

from fourcc.policy.conditions import Condition


@pytest.mark.parametrize(
    ("text", "holds", "fails"),
    [
        (">=2", [2, 3], [0, 1]),
        ("<=2", [0, 2], [3]),
        (">2", [3], [2]),
        ("<2", [1], [2]),
        ("=2", [2], [1, 3, 22]),
        ("%256", [0, 256, 512], [1, 255, 257]),
        ("<4096, %32", [0, 32, 4064], [4096, 33]),
        (" >= 2 ,<4,=3", [3], [2, 4]),
    ],
)
def test_operators(text: str, holds: list[int], fails: list[int]) -> None:
    """Every operator is tried on both sides of its border; a comma means and."""
    condition = Condition.parse(text)
    assert all(map(condition.match, holds))
    assert not any(map(condition.match, fails))


@pytest.mark.parametrize("text", ["", "2", "==2", "=>2", "!=2", ">=-1", ">=2,", "%", "<2.5", "= ٣", "> 1" + "0" * 20])
def test_what_spells_no_condition(text: str) -> None:
    """The message lists the operators."""
    with pytest.raises(ValueError, match="expected one of >= <= > < = % before a number, such as '>=2'"):
        Condition.parse(text)


def test_multiple_of_zero() -> None:
    """It would fail on the first tensor, so parsing refuses it."""
    with pytest.raises(ValueError, match="found '%0', which divides by zero"):
        Condition.parse("%0")
