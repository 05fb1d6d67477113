"""The tree of errors, and the form of a message."""

import errno
import re

import pytest

from fourcc import errors
from fourcc.errors import FourccError, PolicyError, Problem, TableError, listed, memory_is_short, shown


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
    """Every class has the drawn base and exit code."""
    classes = {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, FourccError)
    }
    del classes["FourccError"]
    assert {name: (cls.__bases__[0].__name__, cls.exit_code) for name, cls in classes.items()} == drawn()


def test_every_class_says_what_it_is() -> None:
    """Each has a docstring of its own."""
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


class Stubborn:
    """Whatever is asked of it, it fails."""

    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


@pytest.mark.parametrize(
    ("found", "text"),
    [
        ("a\x1b[2J\0\u202e\n", r"a\x1b[2J\x00\u202e\n"),
        ("\udcff", r"\udcff"),
        (10**5000, "a number of 16610 bits"),
        (-(10**5000), "a number of 16610 bits"),
        (b"\x00\x1b", r"b'\x00\x1b'"),
        ("x" * 1001, "x" * 1000 + "... (1001 characters)"),
        ([10**5000], "a list that cannot be shown"),
        (Stubborn(), "a Stubborn that cannot be shown"),
        (object(), "<object object>"),
        ("Größe　1", r"Größe\u30001"),
        (r"a\x1b", r"a\x1b"),
    ],
    ids=lambda value: shown(value, 20),
)
def test_anything_can_be_shown(found: object, text: str) -> None:
    """L5, N1: a message never fails, has no raw control character and no address, and is short."""
    assert str(TableError("w", found=found)) == f"w: found {text}"
    assert str(TableError("w", expected=found)) == f"w, expected {text}"
    assert shown(found) == text
    if isinstance(found, str):
        assert str(TableError(found)) == text
        assert str(TableError("w", hint=found)) == f"w. {text}"
        assert text in str(PolicyError([Problem("", found, None, found)]))


def test_places_are_shown_as_anything_else() -> None:
    """L5: a tensor's name, a file's name, an offset."""
    error = TableError("w", file="a\x1b/b", tensor="x" * 2000 + "\0", offset=10**5000)
    assert str(error) == (rf"a\x1b/b, tensor '{'x' * 1000}... (2001 characters)', byte a number of 16610 bits: w")


def test_the_command_line_escapes_nothing_twice() -> None:
    """L5: it makes all that it prints safe, which the message is by then."""
    from fourcc.cli.render.failures import failure

    error = TableError("a\x1b", file="f\n", found=10**5000)
    shown_failure = failure(error)
    assert shown_failure.message == str(error) == r"f\n: a\x1b: found a number of 16610 bits"
    assert shown_failure.fields["found"] == "a number of 16610 bits"
    assert failure(ValueError("\x1b")).message.startswith(r"internal error: ValueError: \x1b. This is a bug")


def test_many_names_are_counted() -> None:
    """The first ones stand in the message; there may be none at all, and they may come one by one."""
    assert listed(["a", "b"], 2) == "a, b"
    assert listed((name for name in "abcd"), 2) == "a, b and 2 more"
    assert listed([1, 2], 1) == "1 and 1 more"
    assert not listed([], 3)


def test_a_long_policy_has_a_short_message() -> None:
    """N9: the first problems, and how many more there are."""
    error = PolicyError([Problem(f"rule[{n}]", "y" * 9999) for n in range(6000)])
    assert len(str(error)) < 60_000
    assert str(error).splitlines()[-1] == "  and 5950 more"
    assert len(error.problems) == 6000


def chained(error: BaseException, cause: BaseException) -> BaseException:
    """One that came of the other."""
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "short"),
    [
        (MemoryError(), True),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), True),
        (
            chained(
                OSError("Could not find/load shared object file 'libllvmlite.so'"),
                OSError("/x/libllvmlite.so: failed to map segment from shared object"),
            ),
            True,
        ),
        (ImportError("libx.so: cannot allocate memory in static TLS block"), True),
        (chained(ValueError("x"), MemoryError()), True),
        (OSError("Could not find/load shared object file 'libllvmlite.so'"), False),
        (OSError(errno.EIO, "Input/output error"), False),
        (ValueError("cannot allocate memory"), False),
    ],
)
def test_a_full_memory_is_called_so(error: BaseException, short: bool) -> None:
    """L7: whoever was the first to need more is not to blame for it."""
    from fourcc.cli.render.failures import failure

    assert memory_is_short(error) == short
    assert (failure(error).message == "not enough memory") == short


def test_policy_error_lists_every_problem() -> None:
    """Each problem has a line."""
    problems = [Problem("rule[0].tag", "no such format", 3, "did you mean Q4_0?"), Problem("", "empty")]
    assert str(PolicyError(problems, file="mixed.toml")) == (
        "mixed.toml: 2 problems in the policy:\n  line 3: rule[0].tag: no such format (did you mean Q4_0?)\n  empty"
    )
    assert str(PolicyError(problems[:1])).startswith("1 problem in the policy:\n")
