"""Plugins' kinds of files: found, loaded, isolated; their functions behind a firewall."""

import os
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from fourcc.errors import PluginError, SourceError, UsageError
from fourcc.plugins.entries import SOURCES, Entry
from fourcc.plugins.firewall import behind_firewall
from fourcc.plugins.kinds import KindRegistry, expected
from fourcc.plugins.loading import Broken


@attrs.frozen
class Thing:
    """A kind of file."""

    name: str


def entry(name: str, loaded: object, owner: str = "fake", group: str = SOURCES) -> Entry:
    """A line of an entry-point group; an exception is raised when it is loaded."""

    def load() -> object:
        if isinstance(loaded, BaseException):
            raise loaded
        return loaded

    return Entry(name, f"{owner}_nowhere:{name}", owner, "1.0", load, group)


def of(*entries: Entry, allowed: frozenset[str] | None = None) -> KindRegistry[Thing]:
    """A registry of these entries."""

    def scan(group: str) -> Iterator[Entry]:
        assert group == SOURCES
        yield from entries

    return KindRegistry("source", SOURCES, lambda loaded, each: expected(loaded, each, Thing), {"taken"}, scan, allowed)


def test_a_kind_is_found_by_its_name() -> None:
    """It is loaded once; names import nothing."""
    thing = Thing("odd")
    kinds = of(entry("odd", thing), entry("bad", AssertionError("loaded")))
    assert kinds.names() == ["bad", "odd"]
    assert kinds.named("odd") is kinds.named("odd") is thing
    assert kinds.named("none") is None
    assert [(kind, each.owner) for kind, each in kinds.working()] == [(thing, "fake 1.0")]
    assert kinds.broken() == [Broken(entry("bad", None), "AssertionError: loaded")]
    with pytest.raises(PluginError) as caught:
        kinds.named("bad")
    assert str(caught.value) == (
        "the source bad of fake 1.0 (fake_nowhere:bad) cannot be used: AssertionError: loaded. "
        "`fourcc formats --broken` lists every such plugin."
    )


@pytest.mark.parametrize(
    ("found", "says"),
    [
        (entry("odd", 3), "TypeError: fake_nowhere:odd is a int, expected a fourcc.Thing"),
        (entry("odd", Thing("even")), "ValueError: its name is even, its entry point is named odd"),
        (entry("odd", SystemExit(3)), "SystemExit: 3"),
        (entry("taken", Thing("taken")), "a source of fourcc's own has that name"),
        (
            entry("odd", AssertionError(), group="fourcc.sources.2"),
            "made for version 2 of the seam, this fourcc has 1; upgrade fourcc",
        ),
    ],
)
def test_what_cannot_be_used(found: Entry, says: str) -> None:
    """It is listed, and hides no other."""
    kinds = of(found, entry("good", Thing("good"), "other"))
    assert [kind.name for kind, _ in kinds.working()] == ["good"]
    assert kinds.broken() == [Broken(found, says)]
    with pytest.raises(PluginError, match="cannot be used"):
        kinds.named(found.name)


def test_two_packages_with_one_name() -> None:
    """Neither is used; both are named, with what to do."""
    kinds = of(entry("odd", Thing("odd"), "one"), entry("odd", Thing("odd"), "two"))
    assert list(kinds.working()) == []
    assert [(each.entry.owner, each.reason) for each in kinds.broken()] == [
        ("one 1.0", "2 packages declare it"),
        ("two 1.0", "2 packages declare it"),
    ]
    with pytest.raises(PluginError) as caught:
        kinds.named("odd")
    assert str(caught.value) == (
        "the source odd is declared by one 1.0 and by two 1.0. "
        "Uninstall one of them, or name the one to use in FOURCC_PLUGINS."
    )


def test_allow_list() -> None:
    """As for formats."""
    kinds = of(entry("odd", Thing("odd"), "good"), entry("evil", Thing("evil"), "bad"), allowed=frozenset({"good"}))
    assert kinds.names() == ["odd"]
    assert [each.reason for each in kinds.broken()] == ["FOURCC_PLUGINS does not allow its distribution"]


def test_a_plugin_that_fails_later() -> None:
    """It is counted as broken from then on."""
    found = entry("odd", Thing("odd"))
    kinds = of(found)
    assert len(list(kinds.working())) == 1
    kinds.refuse(found, "it bites")
    assert list(kinds.working()) == []
    assert kinds.broken() == [Broken(found, "it bites")]


@pytest.mark.parametrize(
    "error", [ValueError("x"), SystemExit(2), RecursionError("deep"), AssertionError(), KeyError(1)]
)
def test_the_firewall(error: BaseException) -> None:
    """Whatever a plugin raises is an error that names it."""

    def function() -> None:
        raise error

    with pytest.raises(PluginError) as caught:
        behind_firewall(function, "open of the source odd (fake 1.0)")()
    assert str(caught.value) == (
        f"open of the source odd (fake 1.0) does not keep its contract: found {type(error).__name__}: {error}"
    )


@pytest.mark.parametrize("error", [SourceError("x"), UsageError("x"), OSError("x"), MemoryError(), KeyboardInterrupt()])
def test_the_firewall_lets_through(error: BaseException) -> None:
    """The package's own errors, the system's, and the user's Ctrl-C."""

    def function() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        behind_firewall(function, "open")()
    assert caught.value is error


def test_behind_the_firewall_nothing_reaches_stdout(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Neither prints nor bytes written to file descriptor 1; the working directory is restored."""

    def function(value: int) -> int:
        print("printed")  # noqa: T201 - what is tested
        os.write(1, b"written\n")
        os.chdir(tmp_path)
        return value + 1

    before = Path.cwd()
    assert behind_firewall(function, "open")(1) == 2
    assert Path.cwd() == before
    out, err = capfd.readouterr()
    assert out == ""
    assert sorted(err.split()) == ["printed", "written"]
