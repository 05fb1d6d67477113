"""Name patterns."""

import fnmatch
import time
import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.policy.globs import Globs, spelled

NAMES = st.text("ab.[]*?!-^&|~\\1", max_size=12)


@given(NAMES, NAMES)
def test_patterns_are_the_shells(pattern: str, name: str) -> None:
    """Patterns match as in the standard library, and are as silent."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Globs((pattern,)).match(name) == fnmatch.fnmatchcase(name, pattern)


@given(NAMES, NAMES)
def test_a_spelled_name_matches_itself_only(name: str, other: str) -> None:
    """Brackets and stars in a name are no pattern once it is spelled."""
    assert Globs((spelled(name),)).match(name)
    assert Globs((spelled(name),)).match(other) == (name == other)


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("layers.1.*", "layers.1.attention.wq", True),
        ("layers.1.*", "layers.10.attention.wq", False),
        ("*.wq", "layers.1.attention.wq", True),
        ("layers.?.attention.w[qk]", "layers.3.attention.wk", True),
        ("layers.?.attention.w[!qk]", "layers.3.attention.wk", False),
        ("NORM", "norm", False),
        ("norm", "norm2", False),
        ("blocks[[]0]", "blocks[0]", True),
        ("a[b", "a[b", True),
    ],
)
def test_examples(pattern: str, name: str, *, expected: bool) -> None:
    """Dots are ordinary characters: a layer's number ends at one, a star crosses it."""
    assert Globs((pattern,)).match(name) == expected


def test_any_of_several() -> None:
    """One pattern, and one name, is enough."""
    globs = Globs(("ffn.*", "output"))
    assert globs.match_any(["embedding", "output"])
    assert not globs.match_any(["embedding", "norm"])
    assert not globs.match_any([])


@pytest.mark.parametrize("pattern", ["*a" * 50 + "b", "*" * 2000 + "b", "a*" * 50 + "b", "*[ab]" * 50 + "c"])
def test_no_pattern_is_slow(pattern: str) -> None:
    """Patterns that make a backtracking matcher run for years."""
    globs = Globs((pattern,))
    start = time.perf_counter()
    assert not globs.match("a" * 3000)
    assert time.perf_counter() - start < 2
