"""Everything that the site adds to the pages of specs/: pages from code, pages from the repository's root, assets."""

from __future__ import annotations

from pathlib import Path

from specs.site import commands, python_names

ASSETS = Path(__file__).parent / "assets"
ROOT_PAGES = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md", "README.md": "index.md"}
COPIED = ("CONTRIBUTING.md", "CHANGELOG.md")  # the README's place is that of specs/index.md


def pages(root: Path) -> dict[str, str]:
    """Address -> text of every page that is made."""
    copied = {ROOT_PAGES[name]: (root / name).read_text(encoding="utf-8") for name in COPIED}
    return {**copied, **commands.pages(), **python_names.pages(root)}


def assets() -> dict[str, Path]:
    """Address -> file of every style sheet and script."""
    return {f"assets/{path.name}": path for path in sorted(ASSETS.iterdir())}


def origin(uri: str) -> str:
    """The place in the repository that a page's links are relative to."""
    copied = {ROOT_PAGES[name]: name for name in COPIED}
    return copied.get(uri, f"specs/{uri}")
