"""Links of a page, which are relative to its place in the repository, as they must be on the site.

A page of specs/ keeps its place, so its links to other pages of specs/ stay as they are. A link to a file that is no
page of the site leads to the repository's address where mkdocs.yml has one (`repo_url`); else it becomes plain text.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from pathlib import Path

import attrs

DOCS = "specs"
SHOWN = {".md": ".md", ".ipynb": ".md", ".json": ".json"}  # files of specs/ that are shown -> what they become
LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\[\]]*\])*)\]\(([^()\s]+)\)")
CODE = re.compile(r"(^ {0,3}```.*?^ {0,3}```[^\n]*$|^ {0,3}~~~.*?^ {0,3}~~~[^\n]*$)", re.MULTILINE | re.DOTALL)
SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:|//")


@attrs.frozen
class Site:
    """Places that a link may lead to.

    Attributes:
        root: the repository's folder.
        stands_for: path in the repository -> address in the site, of files that a page of the site stands for.
        repository: address of the repository; None: it has none yet.
    """

    root: Path
    stands_for: Mapping[str, str]
    repository: str | None = None

    def address(self, path: str) -> str | None:
        """The address in the site of a file of the repository; None: it is no page there."""
        if path in self.stands_for:
            return self.stands_for[path]
        place = Path(path)
        if place.parts[0] != DOCS or place.suffix not in SHOWN or not (self.root / place).is_file():
            return None
        return place.relative_to(DOCS).with_suffix(SHOWN[place.suffix]).as_posix()


def rewritten(markdown: str, origin: str, uri: str, site: Site) -> str:
    """A page with the links of the site; text in fenced code stays.

    Args:
        markdown: the page.
        origin: its path in the repository.
        uri: its address in the site.
        site: where links may lead to.
    """

    def link(found: re.Match[str]) -> str:
        return _link(found, origin, uri, site)

    pieces = CODE.split(markdown)
    return "".join(piece if number % 2 else LINK.sub(link, piece) for number, piece in enumerate(pieces))


def _link(found: re.Match[str], origin: str, uri: str, site: Site) -> str:
    text, target = found.groups()
    path, mark, anchor = target.partition("#")
    if SCHEME.match(target) or not path or path.startswith("/"):
        return found.group()
    file = posixpath.normpath(posixpath.join(posixpath.dirname(origin), path))
    address = site.address(file)
    if address is not None:
        return f"[{text}]({posixpath.relpath(address, posixpath.dirname(uri) or '.')}{mark}{anchor})"
    if file.startswith("..") or not (site.root / file).exists():
        return found.group()  # mkdocs warns of it
    if site.repository:
        return f"[{text}]({site.repository.rstrip('/')}/blob/main/{file}{mark}{anchor})"
    return text if file in text else f"{text} (`{file}`)"
