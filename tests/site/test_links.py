"""Links of pages: those inside the site stay, those to other files of the repository lead there or become text."""

from pathlib import Path

import pytest

from specs.site import made
from specs.site.links import Site, rewritten

ADDRESS = "https://example.org/us/fourcc"


@pytest.fixture
def site(root: Path) -> Site:
    """The site, without an address of the repository."""
    return Site(root, made.STANDS_FOR)


@pytest.mark.parametrize(
    "link",
    [
        "[bounds](products.md#float-products)",
        "[here](#below)",
        "[there](https://example.org/x.md)",
        "[mail](mailto:us@example.org)",
        "[nowhere](missing.md)",
        "[beyond](../../../etc/passwd)",
        "![picture](../formats/q8_a.py)",
    ],
)
def test_links_that_stay(site: Site, link: str) -> None:
    """Links of the site, addresses, and what leads nowhere, of which mkdocs warns."""
    assert rewritten(f"see {link}.", "specs/policy.md", "policy.md", site) == f"see {link}."


def test_a_file_of_the_repository_is_text_without_its_address(site: Site) -> None:
    """Its path is named, once."""
    text = "the [source](../formats/q8_a.py) and [`formats/q8_a.py`](../formats/q8_a.py#L3)"
    assert rewritten(text, "specs/q8_a.md", "q8_a.md", site) == "the source (`formats/q8_a.py`) and `formats/q8_a.py`"


def test_a_file_of_the_repository_leads_to_its_address(root: Path) -> None:
    site = Site(root, made.STANDS_FOR, f"{ADDRESS}/")
    found = rewritten(
        "[source](../../formats/q8_a.py#L3)", "specs/decisions/0005-seam.md", "decisions/0005-seam.md", site
    )
    assert found == f"[source]({ADDRESS}/blob/main/formats/q8_a.py#L3)"


def test_a_page_from_the_root_finds_pages(site: Site) -> None:
    """CONTRIBUTING.md is `contributing.md` on the site; its links begin with `specs/`."""
    text = "[map](specs/architecture.md#the-map), [home](README.md), [gallery](specs/REGISTRY.toml)"
    found = rewritten(text, "CONTRIBUTING.md", "contributing.md", site)
    assert found == "[map](architecture.md#the-map), [home](index.md), [gallery](formats/index.md)"


def test_a_page_in_a_folder_finds_what_stands_for_a_file(site: Site) -> None:
    found = rewritten("[all](../../cli/app.py)", "specs/decisions/README.md", "decisions/README.md", site)
    assert found == "[all](../reference/commands/index.md)"


def test_a_notebook_is_a_page(site: Site) -> None:
    found = rewritten("[tour](tour.ipynb)", "specs/notebooks/index.md", "notebooks/index.md", site)
    assert found == "[tour](tour.md)"


def test_code_stays(site: Site) -> None:
    """A link in a fenced block is an example."""
    text = "```\n[a](../formats/q8_a.py)\n```\n[a](../formats/q8_a.py)"
    assert (
        rewritten(text, "specs/q8_a.md", "q8_a.md", site) == "```\n[a](../formats/q8_a.py)\n```\na (`formats/q8_a.py`)"
    )


def test_every_file_that_a_page_stands_for_is_there(root: Path) -> None:
    assert all((root / name).is_file() for name in made.STANDS_FOR)
