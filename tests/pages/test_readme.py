"""The README: short, in the order of a newcomer's questions, and of one mind with the pages that it leads to."""

import re
from pathlib import Path

import pytest

from tests.pages.__main__ import README, SETUP, pages
from tests.pages.blocks import blocks, setup_commands

LINES = 150
ORDER = (
    "# fourcc",
    "## Install, and try it",
    "## Your model",
    "## The best mix for a size",
    "## Mixing by hand",
    "## Ten tasks",
    "## A format of your own",
    "## Where to go on",
)
LINK = re.compile(r"\]\(([^)#\s]+)(#[^)\s]+)?\)")


@pytest.fixture(scope="module")
def text() -> str:
    """The README."""
    return README.read_text(encoding="utf-8")


def test_it_is_short(text: str) -> None:
    assert len(text.splitlines()) <= LINES


def test_it_answers_in_order(text: str) -> None:
    prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    assert re.findall(r"^#+ .*$", prose, re.MULTILINE) == list(ORDER)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Files that are there, and headings that the page has."""
    for path, heading in LINK.findall(page.read_text(encoding="utf-8")):
        target = page.parent / path
        if re.match(r"[a-z]+:", path) or "reference/" in path:  # some of those are made with the site
            continue
        assert target.exists(), path
        assert not heading or heading[1:] in anchors(target), heading


def anchors(page: Path) -> set[str]:
    """The names of a page's headings in addresses."""
    found = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in found}


def test_set_up_is_two_commands(text: str) -> None:
    """The main job, on the model that fourcc ships; then the tests. `.ci/run` runs both."""
    main, tests = setup_commands(text)
    assert len(SETUP) == 2
    assert "fourcc quantize example/hf" in main
    assert "pytest" in tests


def test_the_comparison_is_that_of_the_page(text: str, root: Path) -> None:
    """Seconds and megabytes of both quantizers."""
    page = (root / "specs" / "performance.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (fourcc|llama\.cpp) \| ([\d.]+) \| (\d+) \|$", page, re.MULTILINE)
    (ours, theirs) = (f"{seconds} s and {memory} MB" for _, seconds, memory in rows)
    told = " ".join(text.split())
    assert ours in told
    assert theirs in told
    assert re.search(r"same bytes in both files: (\d+) of \1\.", page), "not byte for byte"


def test_the_format_is_one_that_is_tested(text: str, root: Path) -> None:
    """Each line stands in the package that is named, and they are no more than 25."""
    shown = next(block.body for block in blocks(text) if block.kind == "py").splitlines()
    lines = (root / "tests/plugins/fourcc-nf/fourcc_nf.py").read_text(encoding="utf-8").splitlines()
    bare = [re.sub(r": (?:Array|Blocks)|-> \w+", "", line).replace(" :", ":") for line in lines]
    assert len(shown) <= 25
    assert not [line for line in shown if line.strip() and line not in bare]
