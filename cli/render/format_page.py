"""The page of a format, as Markdown: bytes, meaning, and how an encoder chooses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fourcc.cli.render import json_documents, terminal
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from fourcc.plugins.entries import Entry
    from fourcc.tags import FourCC


def show(tag: FourCC, *, as_json: bool) -> None:
    """Writes the page to stdout.

    Raises:
        MissingFormatError: no package provides the format.
        UsageError: its package has no page.
    """
    from fourcc.plugins.registry import registry

    entry = registry.entry(tag)
    text = _text(tag, entry)
    if as_json:
        json_documents.show("format-page", {"tag": str(tag), "provider": entry.owner, "markdown": text})
    else:
        terminal.out(terminal.harmless(text).rstrip())


def _text(tag: FourCC, entry: Entry) -> str:
    """The page: a built-in format's is part of the specification, a plugin's is the description of its package."""
    from importlib import metadata

    from fourcc import installation

    file = installation.pages() / f"{str(tag).lower()}.md"
    if entry.distribution == installation.OWN and file.is_file():
        return file.read_text(encoding="utf-8")
    if entry.distribution != installation.OWN:
        told = metadata.metadata(entry.distribution)
        if "Description" in told and told["Description"].strip():
            return told["Description"]
    raise UsageError(f"{entry.owner} has no page for {tag}", hint=f"`fourcc formats {tag}` shows what is declared.")
