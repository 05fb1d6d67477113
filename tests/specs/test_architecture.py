"""The map of the project: its paths exist, every folder is on it, its layers are those that are checked."""

import re
from pathlib import Path

import pytest

from tests.layout import layers

PATH = re.compile(r"`((?:formats|kernels|cli|fourcc|specs|tests)/[\w./-]*|[\w-]+\.(?:md|toml))`")
PLACED = re.compile(r"`(\w+)`\s+in\s+`((?:formats|kernels|cli|fourcc)/[\w./-]+\.py)`")
LINK = re.compile(r"\]\(([\w./-]+\.md)\)")
PAGES = ("architecture.md", "glossary.md", "releasing.md")


def packages(root: Path) -> set[str]:
    """Folders of the package that hold modules, two levels deep."""
    tops = ("formats", "kernels", "cli", "fourcc")
    inner = {path.parent for top in tops for path in (root / top).glob("*/__init__.py") if not path.parent.is_symlink()}
    return {f"{path.relative_to(root).as_posix()}/" for path in inner} | {f"{top}/" for top in tops}


@pytest.mark.parametrize("name", PAGES)
def test_every_path_exists(root: Path, name: str) -> None:
    """Paths in backticks start at the top level, links at the page."""
    text = (root / "specs" / name).read_text()
    missing = [path for path in PATH.findall(text) if not ((root / path).exists() or (root / "specs" / path).exists())]
    assert not missing
    assert not [link for link in LINK.findall(text) if not (root / "specs" / link).is_file()]


def test_every_name_is_where_the_page_says(root: Path) -> None:
    """A function, a class or a constant that moves takes its mention along."""
    placed = PLACED.findall((root / "specs" / "architecture.md").read_text())
    assert len(placed) > 20
    missing = []
    for name, path in placed:
        defined = rf"^(?:def|class) {name}\b|^{name}(?::.*)? = "
        if not re.search(defined, (root / path).read_text(), re.MULTILINE):
            missing.append((name, path))
    assert not missing


def test_every_folder_is_on_the_map(root: Path) -> None:
    """A new folder gets a line."""
    text = (root / "specs" / "architecture.md").read_text()
    assert packages(root) <= set(re.findall(r"^\| `([^`]+)` \|", text, re.MULTILINE))


def test_layers_are_those_that_are_checked() -> None:
    """`python -m tests.layout.layers --update` renews the table."""
    assert layers.PAGE.read_text() == layers.page()


def test_every_word_of_the_glossary_is_used(root: Path) -> None:
    """A word that the code has given up leaves the glossary."""
    rows = re.findall(r"^\| (?!word |---)([\w ,-]+) \|", (root / "specs" / "glossary.md").read_text(), re.MULTILINE)
    paths = [path for folder in packages(root) for path in (root / folder).glob("*.py")]
    used = set(re.findall(r"[a-z]+", " ".join(path.read_text() for path in paths).lower()))
    words = {word.lower() for row in rows for word in re.split(r"[ ,-]+", row)}
    assert not {word for word in words if not used & {word, f"{word}s", f"{word}ed"}}


def test_glossary_is_in_order_and_says_each_word_once(root: Path) -> None:
    """A glossary is looked up."""
    text = (root / "specs" / "glossary.md").read_text()
    words = re.findall(r"^\| (?!word |---)([\w -]+)(?:, [\w -]+)* \|", text, re.MULTILINE)
    assert words == sorted(words, key=str.lower)
    assert len(set(words)) == len(words)
