"""The decisions: numbered without a gap, and listed with the titles of their pages."""

import re
from pathlib import Path


def test_decisions_are_numbered_without_a_gap(root: Path) -> None:
    """One that no longer holds keeps its page, with a line that names its successor."""
    names = sorted(path.name for path in (root / "specs" / "decisions").glob("[0-9]*.md"))
    assert [int(name[:4]) for name in names] == list(range(1, len(names) + 1))


def test_the_list_has_every_decision(root: Path) -> None:
    folder = root / "specs" / "decisions"
    rows = re.findall(r"^\| \[(\d{4})\]\((\S+)\) \| (.+) \|$", (folder / "README.md").read_text(), re.MULTILINE)
    pages = sorted(folder.glob("[0-9]*.md"))
    assert [(number, name) for number, name, _ in rows] == [(page.name[:4], page.name) for page in pages]
    for page, (number, _, title) in zip(pages, rows, strict=True):
        assert page.read_text().splitlines()[0] == f"# {number}: {title}"
