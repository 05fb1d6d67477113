"""Everything that the site adds to the pages of specs/: pages from code, pages from the repository's root, assets."""

from __future__ import annotations

from pathlib import Path

from specs.site import commands, gallery, python_names

ASSETS = Path(__file__).parent / "assets"
COPIED = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
WIDE = frozenset({"index.md", gallery.ADDRESS})  # pages without a column beside them
# Files of the repository -> the pages that stand for them. A link to a source leads to what is made of it, so that the
# link works on a code host, too.
STANDS_FOR = {
    **COPIED,
    "README.md": "index.md",
    "specs/REGISTRY.toml": gallery.ADDRESS,
    "cli/app.py": f"{commands.FOLDER}/index.md",
    "fourcc/__init__.py": f"{python_names.FOLDER}/index.md",
}


def pages(root: Path) -> dict[str, str]:
    """Address -> text of every page that is made."""
    copied = {uri: (root / name).read_text(encoding="utf-8") for name, uri in COPIED.items()}
    return {**copied, **commands.pages(), **python_names.pages(root), gallery.ADDRESS: gallery.page(root)}


def assets() -> dict[str, Path]:
    """Address -> file of every style sheet and script."""
    return {f"assets/{path.name}": path for path in sorted(ASSETS.iterdir())}


def origin(uri: str) -> str:
    """The place in the repository that a page's links are relative to."""
    copied = {address: name for name, address in COPIED.items()}
    return copied.get(uri, f"specs/{uri}")
