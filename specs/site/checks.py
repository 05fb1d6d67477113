"""Checks of built pages that mkdocs does not make: nothing is fetched from elsewhere, every address leads somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {"src", "srcset", "data", "poster", "xlink:href"}  # attributes whose address a browser fetches by itself
ACTIVE = {"link"}  # elements whose href it fetches


class _Addresses(HTMLParser):
    """The addresses in a page, and whether a browser fetches them by itself."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Takes the addresses of an element."""
        for name, value in attrs:
            if value and (name in FETCHED or name == "href"):
                self.found.append((value, name in FETCHED or tag in ACTIVE))


def addresses(html: str) -> list[tuple[str, bool]]:
    """The addresses in a page, each with whether a browser fetches it by itself."""
    parser = _Addresses()
    parser.feed(html)
    return parser.found


def faults(folder: Path) -> Iterator[str]:
    """What is wrong with the pages in a folder, a line each."""
    for path in sorted(folder.rglob("*.html")):
        for address, fetched in addresses(path.read_text(encoding="utf-8")):
            fault = _fault(address, path, folder, fetched=fetched)
            if fault:
                yield f"{path.relative_to(folder).as_posix()}: {fault}: {address}"


def _fault(address: str, page: Path, folder: Path, *, fetched: bool) -> str | None:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return "fetched from elsewhere" if fetched and parts.scheme != "data" else None
    if not parts.path:
        return None
    start = folder if parts.path.startswith("/") else page.parent
    target = start / unquote(parts.path).lstrip("/")
    there = target.is_file() or (target / "index.html").is_file()
    return None if there else "leads nowhere"
