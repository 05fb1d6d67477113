"""The order of the pages: what is there is arranged, what has no place is an error, what is missing leaves no gap.

A pattern takes the pages whose addresses match and that no earlier pattern took, sorted by address, an index first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from specs.site import formats_shown, python_names

Nav = list[Any]  # as mkdocs has it: addresses, and {title: address or list}

TUTORIAL = ("tutorial/index.md", "tutorial/*.md")
TASKS = (
    "install",
    "convert-a-folder",
    "fit-a-size",
    "what-lost-most",
    "mix-by-hand",
    "chat",
    "evaluate",
    "verify",
    "export",
    "larger-than-the-machine",
)
HOW_TO = ("howto/index.md", *(f"howto/{name}.md" for name in TASKS), "howto/*.md")
FORMATS_END = ("products.md", "searches.md", "measured-formats.md", "example-formats.md", "writing-a-format.md")
REFERENCE: tuple[tuple[str, Sequence[str]], ...] = (
    ("Commands", ("reference/commands/index.md", "reference/commands/*.md")),
    ("Python", ("reference/python/index.md", *(f"reference/python/{page}.md" for page, *_ in python_names.PAGES))),
    (
        "Policies, mixes, chats, reports",
        ("policy.md", "quantize.md", "calibration.md", "costs.md", "allocation.md", "chat.md", "report.md"),
    ),
    ("Files and seams", ("container.md", "families.md", "quantized-checkpoints.md", "seam.md", "vectors/README.md")),
    ("Scripts", ("reference/*.md",)),
    ("Words", ("glossary.md",)),
)
EXPLANATION = ("architecture.md", "networks.md", "stated-twice.md", "performance.md", "measured-mixes.md", "*.md")
PROJECT = ("contributing.md", "changelog.md", "releasing.md")
DECISIONS = ("decisions/README.md", "decisions/*.md")
NOTEBOOKS = ("notebooks/index.md", "notebooks/*.md")


def arranged(addresses: Iterable[str]) -> Nav:
    """The navigation of all pages.

    Raises:
        ValueError: a page has no place in it; the message names the pages.
    """
    left = set(addresses)
    nav: Nav = [{"Home": _one(left, "index.md")}]
    tutorial, how_to, formats = _taken(left, TUTORIAL), _taken(left, HOW_TO), _formats(left)
    reference = _titled({title: _taken(left, patterns) for title, patterns in REFERENCE})
    project, notebooks, decisions = (_taken(left, patterns) for patterns in (PROJECT, NOTEBOOKS, DECISIONS))
    explanation = _taken(left, EXPLANATION) + _titled({"Decisions": decisions, "Project": project})
    sections = {
        "Tutorial": tutorial,
        "How-to": how_to,
        "Reference": reference,
        "Formats": formats,
        "Explanation": explanation,
        "Notebooks": notebooks,
    }
    if left:
        raise ValueError(
            f"pages without a place in the navigation (specs/site/navigation.py): {', '.join(sorted(left))}"
        )
    return nav + _titled(sections)


def _titled(sections: Mapping[str, Nav]) -> Nav:
    """Sections under their titles; one without a page is left out."""
    return [{title: pages} for title, pages in sections.items() if pages]


def _formats(left: set[str]) -> Nav:
    """The gallery, the formats' pages by kind, and the pages about all of them."""
    nav: Nav = _taken(left, ("formats/index.md",))
    for group in formats_shown.groups():
        nav += _titled({group.title: sorted(_taken(left, [shown.page for shown in group.formats if shown.page]))})
    return nav + _taken(left, FORMATS_END)


def _one(left: set[str], address: str) -> str:
    left.remove(address)
    return address


def _taken(left: set[str], patterns: Iterable[str]) -> Nav:
    """The pages that match, in order; they are no longer left. A star stands for no slash."""
    found: list[str] = []
    for pattern in patterns:
        depth = pattern.count("/")
        matching = sorted(each for each in left if fnmatchcase(each, pattern) and each.count("/") == depth)
        left.difference_update(matching)
        found += matching
    return list(found)
