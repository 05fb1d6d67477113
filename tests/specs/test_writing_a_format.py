"""The guide for authors of formats: what it says is done, from an empty folder, and what it shows is what happens."""

import re
from pathlib import Path

import pytest

from fourcc.testing import CHECKS
from tests import guide


@pytest.fixture(scope="module")
def text() -> str:
    """The guide."""
    return guide.GUIDE.read_text()


@pytest.mark.thorough
def test_from_an_empty_folder_to_a_published_package(text: str) -> None:
    """New, install, test, a policy, convert, run, uninstall, inspect, wheel."""
    real = guide.corrected(text)
    assert real == text, guide.difference(text, real)


def test_it_goes_through_everything(text: str) -> None:
    """The commands that an author meets, in their order."""
    commands = "\n".join(body for kind, body in guide.BLOCK.findall(text) if kind in {"sh", "console"})
    steps = [
        "fourcc plugin new",
        "pip install -e",
        "fourcc plugin test",
        "fourcc plugin pin",
        "fourcc convert",
        "fourcc run",
        "pip uninstall",
        "fourcc inspect",
        "pip wheel",
    ]
    places = [commands.index(step) for step in steps[:7]]
    assert places == sorted(places)
    assert all(step in commands[places[-1] :] for step in steps[7:])


def test_it_lists_every_check(text: str) -> None:
    """The checks stand in their order, each with its promise."""
    table = text[text.index("| check |") : text.index('"Within the bound"')]
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", table, re.MULTILINE)[1:]
    assert rows == [(check.name, check.promise) for check in CHECKS]


def test_what_it_links_to_is_there(text: str) -> None:
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert (guide.GUIDE.parent / Path(link)).exists(), link
