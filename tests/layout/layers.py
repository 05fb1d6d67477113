"""Prints the layers of the import order, lowest first; with --update into specs/architecture.md."""

import sys
from pathlib import Path

from tests.layout.test_arrow import LAYERS
from tests.markdown import filled

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "specs" / "architecture.md"


def layers() -> str:
    """The table in Markdown."""
    rows = [f"| {number} | {', '.join(f'`{name}`' for name in sorted(layer))} |" for number, layer in enumerate(LAYERS)]
    return "\n".join(["| layer | modules and folders of `fourcc` |", "|--:|---|", *rows])


def page() -> str:
    """The page with the table of today."""
    return filled(PAGE.read_text(), "layers", layers())


if __name__ == "__main__":
    if "--update" in sys.argv[1:]:
        PAGE.write_text(page())
    else:
        sys.stdout.write(layers() + "\n")
