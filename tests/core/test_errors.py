"""The tree of errors, and the form of a message."""

import re

import pytest

from fourcc import errors
from fourcc.errors import FourccError, PolicyError, Problem, TableError


def drawn() -> dict[str, tuple[str, int]]:
    """Class -> (its base, its exit code), as drawn in the docstring."""
    assert errors.__doc__
    found, bases = {}, {0: "FourccError"}
    for line in errors.__doc__.splitlines():
        match = re.match(r"    ([│ ]*)[├└]── (\w+) +(\d)", line)
        if match:
            depth = len(match[1]) // 4 + 1
            bases[depth] = match[2]
            found[match[2]] = (bases[depth - 1], int(match[3]))
    return found


def test_the_tree_is_as_drawn() -> None:
    """Every class, its base, its exit code."""
    classes = {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, FourccError)
    }
    del classes["FourccError"]
    assert {name: (cls.__bases__[0].__name__, cls.exit_code) for name, cls in classes.items()} == drawn()


def test_every_class_says_what_it_is() -> None:
    """In its own docstring."""
    for name in drawn():
        assert getattr(errors, name).__doc__


@pytest.mark.parametrize(
    ("details", "text"),
    [
        ({}, "it broke"),
        ({"file": "m"}, "m: it broke"),
        ({"tensor": "a\x1b"}, r"tensor 'a\x1b': it broke"),
        ({"offset": 0}, "byte 0: it broke"),
        ({"file": "m", "tensor": "w", "offset": 64}, "m, tensor 'w', byte 64: it broke"),
        ({"found": 0, "expected": 1}, "it broke: found 0, expected 1"),
        ({"found": 3}, "it broke: found 3"),
        ({"expected": "x", "hint": "Try y."}, "it broke, expected x. Try y."),
    ],
)
def test_messages(details: dict[str, object], text: str) -> None:
    """File, tensor, offset, what, found, expected, hint: as far as they are known."""
    assert str(TableError("it broke", **details)) == text  # type: ignore[arg-type]


def test_policy_error_lists_every_problem() -> None:
    """One line each."""
    problems = [Problem("rule[0].tag", "no such format", 3, "did you mean Q4_0?"), Problem("", "empty")]
    assert str(PolicyError(problems, file="mixed.toml")) == (
        "mixed.toml: 2 problems in the policy:\n  line 3: rule[0].tag: no such format (did you mean Q4_0?)\n  empty"
    )
    assert str(PolicyError(problems[:1])).startswith("1 problem in the policy:\n")
