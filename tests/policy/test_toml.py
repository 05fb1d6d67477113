"""The text: limits, syntax errors, and the line of every key."""

import contextlib
import re
import time
import tomllib
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fourcc.errors import PolicyError
from fourcc.policy.toml import MAX_BYTES, read_toml

TRICKY = '''# [[rule]] in a comment
version = 1
title = "a # no comment, [[rule]] no header"
long = """
[[rule]]
tag = 1 \\""" "quotes" """"
raw = \'\'\'
[[rule]]
\'\'\'

[[ rule ]]   # the first
match = [
  "a", # first
  "b]", 'c"[',

  "d",
]
"quoted key" = 1979-05-27 07:32:00
encoder = { method = "kmeans", deep = { er = [1.5, { x = -1e3 }] } }
a.b . "c" = {}
fallback = [ "Q8_0",
  { tag = "F16", params = {} },
]

[[rule]]
tag = ''
[rule.encoder]
steps = 0x1F
[[rule.fallback]]
tag = "x"
[[rule.fallback]]

tag = "y"
'''


def lines_of(text: str) -> dict[str, int]:
    _, places = read_toml(text)
    return {places.problem(path, "").path: line for path, line in places.lines.items()}


def only_problem(text: str) -> str:
    with pytest.raises(PolicyError) as caught:
        read_toml(text)
    (problem,) = caught.value.problems
    return str(problem)


def test_every_key_has_its_line() -> None:
    """Comments, strings and arrays over several lines, quoted and dotted keys, tables in line and in blocks."""
    assert lines_of(TRICKY) == {
        "version": 2,
        "title": 3,
        "long": 4,
        "raw": 7,
        "rule": 11,
        "rule[0]": 11,
        "rule[0].match": 12,
        "rule[0].match[0]": 13,
        "rule[0].match[1]": 14,
        "rule[0].match[2]": 14,
        "rule[0].match[3]": 16,
        "rule[0].'quoted key'": 18,
        "rule[0].encoder": 19,
        "rule[0].encoder.method": 19,
        "rule[0].encoder.deep": 19,
        "rule[0].encoder.deep.er": 19,
        "rule[0].encoder.deep.er[0]": 19,
        "rule[0].encoder.deep.er[1]": 19,
        "rule[0].encoder.deep.er[1].x": 19,
        "rule[0].a": 20,
        "rule[0].a.b": 20,
        "rule[0].a.b.c": 20,
        "rule[0].fallback": 21,
        "rule[0].fallback[0]": 21,
        "rule[0].fallback[1]": 22,
        "rule[0].fallback[1].tag": 22,
        "rule[0].fallback[1].params": 22,
        "rule[1]": 25,
        "rule[1].tag": 26,
        "rule[1].encoder": 27,
        "rule[1].encoder.steps": 28,
        "rule[1].fallback": 29,
        "rule[1].fallback[0]": 29,
        "rule[1].fallback[0].tag": 30,
        "rule[1].fallback[1]": 31,
        "rule[1].fallback[1].tag": 33,
    }


def test_carriage_returns_change_no_line() -> None:
    """A file from Windows means the same."""
    assert lines_of(TRICKY.replace("\n", "\r\n")) == lines_of(TRICKY)
    assert read_toml("a = 1\r\n")[0] == {"a": 1}


def test_rules_in_an_array() -> None:
    """`rule = [{...}]` is the same tree, and has lines too."""
    assert lines_of("rule = [\n{ a = 1 },\n{ b = 2 }]") == {
        "rule": 1,
        "rule[0]": 2,
        "rule[0].a": 2,
        "rule[1]": 3,
        "rule[1].b": 3,
    }


def paths(value: object, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    """The path of everything in a tree."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path} | {found for key, item in items for found in paths(item, (*path, key))}


TEXTS = st.text("ab[]{}\"'#=,.\\\n 12", max_size=60)


@given(TEXTS | st.text(max_size=60))
@example('a = """"""""\n[[b]]')
@example("a = ''''''''\n[[b]]")
@example('a = """\\""""\n[[b]]')
def test_any_text_is_toml_or_refused(text: str) -> None:
    """Never another error than PolicyError; where there is a tree, it is tomllib's, and every path has a line."""
    try:
        tree, places = read_toml(text)
    except PolicyError:
        return
    assert tree == tomllib.loads(text)
    assert paths(tree) == {(), *places.lines}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a = 1\nb =\n", "line 2: not TOML: .+, column 4"),
        ("a = 1\na = 2\n", "line 2: not TOML: .+, column 6"),
        ('a = 1\nb = "x', "line 2: not TOML: .+, at the end of the text"),
        ("a = 1\r\nb = 1 c = 2", "line 2: not TOML: .+, column 7"),
        ("a = 2021-02-30", "line 1: not TOML: .+, column 5"),
    ],
)
def test_syntax_errors_have_line_and_column(text: str, expected: str) -> None:
    """The error has tomllib's words, which differ between versions, and the place that it names."""
    assert re.fullmatch(expected, only_problem(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\ufeffversion = 1", "line 1: the text begins with a byte order mark (save it as UTF-8 without BOM)"),
        ("a = 1\n\0b", "line 2: a NUL byte (save it as UTF-8, not UTF-16)"),
        ("a = '\ud800'", "a lone surrogate, which UTF-8 cannot hold (save it as UTF-8)"),
        ("#" * (MAX_BYTES + 1), "longer than 65536 bytes"),
        ("a = " + "[" * 17 + "]" * 17, "line 1: more than 16 arrays or tables in each other"),
        ("\na = " + "{a=" * 17 + "1" + "}" * 17, "line 2: more than 16 arrays or tables in each other"),
        (".".join("a" * 17) + " = 1", "line 1: a dotted key of more than 16 parts"),
        ("[" + " . ".join(['"a"'] * 17) + "]", "line 1: a dotted key of more than 16 parts"),
        ("a = " + "1" * 21, "line 1: a number of more than 20 digits"),
        ("a = -0x" + "f" * 5000, "line 1: a number of more than 20 digits"),
        ("a = 1_" + "1" * 5000, "line 1: a number of more than 20 digits"),
    ],
)
def test_limits(text: str, expected: str) -> None:
    """Every error has its line; none is an error of the interpreter."""
    assert only_problem(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 16 + "]" * 16,
        ".".join("a" * 16) + " = 1",
        "a = 18446744073709551615",
        "a = '" + "[" * 100 + "'",
        "# " + "[" * 100,
        "a = '" + "." * 100 + "1" * 100 + "'",
        "#" * MAX_BYTES,
    ],
)
def test_within_the_limits(text: str) -> None:
    """The largest that is allowed, and what only looks as if it were more."""
    assert read_toml(text)[0] == tomllib.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        ".".join(["a"] * 20000),
        "a = " + "[" * 60000,
        "a = '''" + "\\'''" * 15000,
        'a = """' + '\\"""' * 15000,
        'a = "' + '\\"' * 30000,
        '"' * 60000,
        "[[a]]\n" * 10000,
        "".join(f"k{i}={i}\n" for i in range(6000)),
    ],
)
def test_hostile_texts_are_quick(text: str) -> None:
    """Made to take quadratic time, or the stack."""
    start = time.perf_counter()
    with contextlib.suppress(PolicyError):
        read_toml(text)
    assert time.perf_counter() - start < 3


def test_the_file_is_named() -> None:
    """An error says whose text it is."""
    with pytest.raises(PolicyError, match=r"mixed\.toml: 1 problem in the policy:\n  line 1: not TOML"):
        read_toml("a", Path("mixed.toml"))
