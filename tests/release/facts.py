"""Facts that a release states in several places, read and written: version, day, address."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

URLS = ("Homepage", "Source", "Issues", "Changelog")
VERSION = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)
CITED = re.compile(r"^version: (.+)$", re.MULTILINE)
SECTION = re.compile(r"^## (?!Unreleased)(\S+)", re.MULTILINE)


def project(root: Path) -> dict[str, Any]:
    """The table ``[project]``."""
    table: dict[str, Any] = tomllib.loads(_read(root / "pyproject.toml"))["project"]
    return table


def versions(root: Path) -> dict[str, str | None]:
    """The version that each place states."""
    places = {"fourcc/__init__.py": VERSION, "CITATION.cff": CITED, "CHANGELOG.md": SECTION}
    found = {name: pattern.search(_read(root / name)) for name, pattern in places.items()}
    return {name: None if match is None else match[1] for name, match in found.items()}


def unreleased(root: Path) -> str:
    """The changelog's entries that are in no version yet."""
    return _read(root / "CHANGELOG.md").partition("## Unreleased\n")[2].partition("\n## ")[0].strip()


def notes(root: Path, version: str) -> str:
    """The changelog's section of a version."""
    return _read(root / "CHANGELOG.md").partition(f"\n## {version}")[2].partition("\n")[2].partition("\n## ")[0].strip()


def prepare(root: Path, version: str, day: str, address: str | None) -> None:
    """Enters version, day and address wherever they stand; None: the address that is there already.

    Raises:
        ValueError: a place is not as expected, or there is no address.
    """
    known = address or project(root).get("urls", {}).get("Homepage")
    if not known or not known.startswith("https://"):
        raise ValueError("--address https://... is needed: where the project can be found")
    _change(root / "fourcc" / "__init__.py", VERSION, f'__version__ = "{version}"')
    cited = r"^version: .+\n(date-released: .+\n)?(repository-code: .+\n)?"
    text = f"version: {version}\ndate-released: {day}\nrepository-code: {known}\n"
    _change(root / "CITATION.cff", re.compile(cited, re.MULTILINE), text)
    heading = re.compile(r"^## Unreleased$", re.MULTILINE)
    _change(root / "CHANGELOG.md", heading, f"## Unreleased\n\n## {version} - {day}")
    table = re.compile(r"(?:\[project\.urls\]\n(?:.+\n)+\n)?(?=\[project\.scripts\])")
    _change(root / "pyproject.toml", table, urls(known))


def urls(address: str) -> str:
    """The table ``[project.urls]``, as code hosts lay their pages out."""
    places = (address, address, f"{address}/issues", f"{address}/blob/main/CHANGELOG.md")
    lines = [f'{name} = "{place}"' for name, place in zip(URLS, places, strict=True)]
    return "\n".join(["[project.urls]", *lines, "", ""])


def with_absolute_links(text: str, address: str, version: str) -> str:
    """A page whose links to files of the repository lead to the release's, for an index, which has no files.

    >>> with_absolute_links("[a](specs/a.md#b) ![p](specs/p.svg) [c](#c) [d](https://d.org)", "https://h/f", "1.0")
    '[a](https://h/f/blob/v1.0/specs/a.md#b) ![p](https://h/f/raw/v1.0/specs/p.svg) [c](#c) [d](https://d.org)'
    """

    def absolute(match: re.Match[str]) -> str:
        kind = "raw" if match[1].startswith("!") else "blob"
        return f"{match[1]}({address}/{kind}/v{version}/{match[2]})"

    return re.sub(r"(!?\[[^\]]*\])\((?![a-z]+:|#)([^)\s]+)\)", absolute, text)


def _change(path: Path, pattern: re.Pattern[str], text: str) -> None:
    changed, count = pattern.subn(lambda _: text, _read(path), count=1)
    if not count:
        raise ValueError(f"{path.name}: nothing matches {pattern.pattern}")
    path.write_text(changed, encoding="utf-8", newline="\n")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8")
