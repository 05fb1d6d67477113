"""The guide for authors of formats: what it goes through. `python -m tests.pages` does what it says."""

import re
from pathlib import Path

import pytest

from tests.pages import tables
from tests.pages.__main__ import GUIDE
from tests.pages.blocks import blocks

PLUGINS = Path(__file__).resolve().parents[1] / "plugins"
MOST_WORDS = 2000  # in front of the appendix, without examples


@pytest.fixture(scope="module")
def text() -> str:
    """The guide."""
    return GUIDE.read_text()


def test_it_goes_through_everything(text: str) -> None:
    """The commands that an author meets, in their order."""
    commands = "\n".join(block.body for block in blocks(text) if block.kind in {"sh", "console"})
    steps = [
        "fourcc plugin new",
        "pip install --no-build-isolation -e",
        "fourcc plugin pin",
        "pytest",
        "fourcc stats",
        "fourcc convert",
        "fourcc eval",
        "fourcc run",
        "pip uninstall",
        "fourcc inspect tern.bin",
        "pip wheel",
    ]
    places = [commands.index(step) for step in steps]
    assert places == sorted(places)


def test_it_lists_every_check(text: str) -> None:
    """`python -m tests.pages specs/writing-a-format.md --update` renews the table."""
    assert text == tables.renewed(text)


def test_it_is_short(text: str) -> None:
    told = re.sub(r"```.*?```", "", text[: text.index("## Appendix")], flags=re.DOTALL)
    assert len(told.split()) <= MOST_WORDS


def test_its_excerpts_are_lines_of_the_examples(text: str) -> None:
    """Each line stands in a package that is tested, since the guide does not execute it."""
    lines = {line for path in PLUGINS.glob("*/*/*.py") for line in path.read_text().splitlines()}
    shown = [
        line for block in blocks(text) if block.kind == "py" and block.file is None for line in block.body.split("\n")
    ]
    assert len(shown) > 10
    assert [line for line in shown if line.strip() not in {"", "..."} and line not in lines] == []


def test_what_it_links_to_is_there(text: str) -> None:
    for link in re.findall(r"\]\(([^)#]+)", text):
        assert (GUIDE.parent / Path(link)).exists(), link
