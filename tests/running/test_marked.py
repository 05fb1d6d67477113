"""Texts with origins: every operation gives what it gives on plain texts, and each character keeps its origin.

The slow truth is in the characters: capitals and spaces are of users, small letters, commas and line ends the
template's.
"""

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fourcc.models.jinja.marked import (
    GIVEN,
    OWN,
    UNKNOWN,
    Marked,
    blend,
    from_runs,
    join,
    origin_of,
    plain,
    runs_of,
    texts_in,
)

USERS, ITS_OWN = "AB ", "ab,\n"
TEXTS = st.text(USERS + ITS_OWN, max_size=12)


def truth(text: str) -> bytes:
    """The origin of each character, by its look."""
    return bytes(OWN if character in ITS_OWN else GIVEN for character in text)


def marked(text: str) -> Marked:
    """A text with the origins that its characters show."""
    return Marked(text, truth(text))


def agrees(found: Any, expected: Any) -> bool:
    """Whether a result is that on plain texts, and has the true origins."""
    if isinstance(expected, (list, tuple)):
        return len(found) == len(expected) and all(map(agrees, found, expected))
    if not isinstance(expected, str):
        return bool(found == expected)
    return plain(found) == expected and origin_of(found) == truth(expected)


OPERATIONS = {
    "strip": lambda t, a: t.strip(),
    "strip some": lambda t, a: t.strip(a or None),
    "lstrip": lambda t, a: t.lstrip(a or None),
    "rstrip": lambda t, a: t.rstrip(a or None),
    "split": lambda t, a: t.split(),
    "split at most": lambda t, a: t.split(None, 2),
    "split from the right": lambda t, a: t.rsplit(None, 1),
    "split by": lambda t, a: t.split(a or ","),
    "split by, at most": lambda t, a: t.split(a or ",", 1),
    "split by, from the right": lambda t, a: t.rsplit(a or ",", 1),
    "splitlines": lambda t, a: t.splitlines(),
    "splitlines with ends": lambda t, a: t.splitlines(keepends=True),
    "partition": lambda t, a: t.partition(a or ","),
    "rpartition": lambda t, a: t.rpartition(a or ","),
    "removeprefix": lambda t, a: t.removeprefix(a),
    "removesuffix": lambda t, a: t.removesuffix(a),
    "sum": lambda t, a: t + a,
    "product": lambda t, a: t * 3,
    "product from the left": lambda t, a: 2 * t,
    "first": lambda t, a: t[:1],
    "last": lambda t, a: t[-1:],
    "reversed": lambda t, a: t[::-1],
    "some": lambda t, a: t[1:-2],
    "one by one": lambda t, a: list(t),
    "replace": lambda t, a: t.replace(a or ",", t[:2]),
    "replace once": lambda t, a: t.replace(a or ",", a + t[:1], 1),
    "join": lambda t, a: t.join([a, t, a]),
    "in": lambda t, a: (a in t, t.count(a), t.find(a), len(t), t == a, t < a, t.startswith(a), bool(t)),
}


@pytest.mark.parametrize("name", OPERATIONS)
@given(text=TEXTS, other=st.text(USERS + ITS_OWN, max_size=3))
@settings(max_examples=30)
def test_operations_keep_origins(name: str, text: str, other: str) -> None:
    """The result and the origins are the true ones."""
    assert agrees(OPERATIONS[name](marked(text), marked(other)), OPERATIONS[name](text, other))


@given(text=st.text(max_size=8))
def test_other_letters_keep_them_where_they_can(text: str) -> None:
    """A letter that becomes two has no known origin any more, unless all have one."""
    mixed = Marked(text, bytes(number % 2 for number in range(len(text))))
    for name in ("upper", "lower", "title", "capitalize", "swapcase", "casefold"):
        expected = getattr(text, name)()
        found = getattr(mixed, name)()
        assert plain(found) == expected
        assert origin_of(found) == origin_of(mixed) or len(expected) != len(text)
        assert set(origin_of(getattr(Marked(text, OWN), name)())) <= {OWN}


def test_what_is_not_followed_is_not_known() -> None:
    """Unless both have one origin."""
    own, users = Marked("%s<%s>", OWN), Marked("x", GIVEN)
    assert set(origin_of(own % (users, users))) == {UNKNOWN}
    assert set(origin_of(own % (Marked("a", OWN), 1))) == {OWN}
    assert origin_of("a%s" % users) == bytes([UNKNOWN] * 2)  # noqa: UP031 - as a template does it
    assert set(origin_of(users.center(9, Marked("*", OWN)))) == {UNKNOWN}
    assert set(origin_of(users.zfill(3))) == {GIVEN}
    assert set(origin_of("plain")) == {UNKNOWN}
    assert (origin_of("p" + users), origin_of(users + "p")) == (bytes([UNKNOWN, GIVEN]), bytes([GIVEN, UNKNOWN]))
    assert set(origin_of(blend("ab", {users: [own]}))) == {UNKNOWN}


def test_it_is_a_text() -> None:
    """Code that asks, and maps, find no difference; what no text can do fails as with a text."""
    text = Marked("a", OWN)
    assert {"a": 1}[text] == 1
    assert ({text: 1}["a"], hash(text), isinstance(text, str)) == (1, hash("a"), True)
    assert str(text) is text
    for wrong in (lambda: text + 1, lambda: 1 + text, lambda: join("", [text, 1])):
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(TypeError, match="can only concatenate str"):
        text + {}


@given(st.binary().map(lambda data: bytes(byte % 3 for byte in data)))
def test_runs(origin: bytes) -> None:
    """They say the same in fewer words."""
    runs = runs_of(origin)
    assert from_runs(runs) == origin
    assert all(one[0] != other[0] for one, other in pairwise(runs))


def test_texts_in_values() -> None:
    """Keys and items of lists and maps, in each other."""
    assert list(texts_in({"a": [1, "b", ("c", None)], "d": {"e": 2.5}})) == ["a", "b", "c", "d", "e"]
