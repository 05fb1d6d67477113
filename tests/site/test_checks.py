"""Checks of built pages: what is fetched from elsewhere, and what leads nowhere."""

import re
from pathlib import Path

import pytest

from specs.site import checks

# Those that pages name; whoever adds one has looked at it.
HOSTS = {
    "distributed.dask.org",
    "docs.dask.org",
    "huggingface.co",
    "json-schema.org",
    "keepachangelog.com",
    "semver.org",
}
ADDRESS = re.compile(r"https?://([^/\s)>`\"']+)")


@pytest.mark.parametrize(
    ("markup", "fault"),
    [
        ('<a href="https://example.org/">words</a>', None),
        ('<a href="other.html#below">words</a><a href="#here">words</a><a href="folder/">words</a>', None),
        ('<img src="data:image/svg+xml,x">', None),
        ('<script src="https://example.org/x.js"></script>', "fetched from elsewhere: https://example.org/x.js"),
        ('<link rel="stylesheet" href="//example.org/x.css">', "fetched from elsewhere: //example.org/x.css"),
        ('<img src="http://example.org/x.png">', "fetched from elsewhere: http://example.org/x.png"),
        ('<a href="gone.html">words</a>', "leads nowhere: gone.html"),
        ('<img src="gone.png">', "leads nowhere: gone.png"),
    ],
)
def test_faults(tmp_path: Path, markup: str, fault: str | None) -> None:
    """Each is named with its page."""
    (tmp_path / "folder").mkdir()
    for name in ("other.html", "folder/index.html"):
        (tmp_path / name).write_text("", encoding="utf-8")
    (tmp_path / "page.html").write_text(markup, encoding="utf-8")
    assert list(checks.faults(tmp_path)) == ([] if fault is None else [f"page.html: {fault}"])


def test_addresses_in_pages_are_known(root: Path) -> None:
    """No test fetches them; this list says which there are."""
    pages = [*(root / "specs").rglob("*.md"), *root.glob("*.md")]
    found = {host for path in pages for host in ADDRESS.findall(path.read_text(encoding="utf-8"))}
    assert found == HOSTS
