"""mkdocs calls these: they add the pages that are made while building, arrange all pages, and rewrite links."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Makes the modules beside this one importable: mkdocs loads this file alone, by its path."""
    if str(ROOT) not in sys.path:
        sys.path.append(str(ROOT))
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds what is made, and sets the navigation to what is there."""
    from mkdocs.exceptions import PluginError
    from mkdocs.structure.files import File

    from specs.site import made, navigation, notebooks

    for uri, content in {**made.pages(ROOT), **notebooks.made(ROOT)}.items():
        files.append(File.generated(config, uri, content=content))
    for uri, path in made.assets().items():
        files.append(File.generated(config, uri, abs_src_path=str(path)))
    try:
        config.nav = navigation.arranged({file.src_uri for file in files.documentation_pages()})
    except ValueError as error:
        raise PluginError(str(error)) from error
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, **_: object) -> str:
    """Puts facts on a format's page and pictures at their places; links that leave the site lead to the repository."""
    from specs.site import format_page, links, made, notebooks, pictures

    uri = page.file.src_uri
    if uri in made.WIDE:
        page.meta["hide"] = ["navigation", "toc"]
    markdown = pictures.filled(markdown, ROOT)
    markdown = format_page.with_facts(markdown, uri, ROOT)
    return links.rewritten(
        markdown, made.origin(uri), uri, links.Site(ROOT, made.STANDS_FOR | notebooks.stands_for(ROOT), config.repo_url)
    )


def on_post_page(output: str, **_: object) -> str:
    """Names the theme's search, which it leaves without a name for screen readers."""
    return output.replace(
        'data-md-component="search" role="dialog"', 'data-md-component="search" role="dialog" aria-label="Search"'
    )


def on_post_build(config: MkDocsConfig) -> None:
    """Refuses pages that fetch anything from elsewhere, or whose addresses lead nowhere."""
    from mkdocs.exceptions import PluginError

    from specs.site import checks

    found = list(checks.faults(Path(config.site_dir)))
    if found:
        raise PluginError("\n".join(["the built pages have faults:", *found]))
