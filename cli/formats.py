"""`fourcc formats`: the installed formats, what they can do, and which plugins are broken, of any kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer

from fourcc.cli.render import format_advice, format_page, formats_tables, json_documents, terminal
from fourcc.cli.shared import completion
from fourcc.cli.shared.asked_tag import asked_tag
from fourcc.cli.shared.installed import Trouble, broken_files, survey
from fourcc.cli.shared.options import Json
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fourcc.tags import FourCC

EPILOG = """\b
Examples:
  fourcc formats
  fourcc formats Q8_0
  fourcc formats Q8_0 --page
  fourcc formats --files
  fourcc formats --broken

FOURCC_PLUGINS=a,b allows only the plugins of these packages beside what is fourcc's own."""

Tag = Annotated[
    str | None, typer.Argument(metavar="TAG", help="Show one format in depth.", autocompletion=completion.tag)
]
Files = Annotated[bool, typer.Option("--files", help="The kinds of files that can be read and exported to, instead.")]
BrokenOnly = Annotated[bool, typer.Option("--broken", help="Only what cannot be used, of formats and of files: why.")]
Page = Annotated[
    bool, typer.Option("--page", help="The format's page instead: its bytes, what they mean, how they are chosen.")
]


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(formats)


def formats(
    tag: Tag = None,
    *,
    page: Page = False,
    files: Files = False,
    broken: BrokenOnly = False,
    as_json: Json = False,
) -> None:
    """List the installed formats, or show one in depth.

    Bits per weight, what each can do, who provides it, which format to take for what, and which plugins are broken.
    """
    if tag is not None and (files or broken):
        raise UsageError("--files and --broken list: they take no TAG", found=tag)
    if page and tag is None:
        raise UsageError("--page wants a TAG", hint="`fourcc formats` lists them.")
    if page:
        format_page.show(asked_tag(str(tag)), as_json=as_json)
    elif tag is not None:
        _one(asked_tag(tag), as_json=as_json)
    elif broken:
        _broken([*survey()[1], *broken_files()], as_json=as_json)
    elif files:
        kinds, troubles = list(_files()), broken_files()
        if as_json:
            return _document("files", {"files": kinds}, troubles)
        formats_tables.show_files(kinds)
        formats_tables.show_broken(troubles)
    else:
        working, troubles = survey()
        if as_json:
            listed = [formats_tables.document(fmt, owner) for fmt, owner in working]
            return _document("formats", {"formats": listed}, troubles)
        formats_tables.show_formats(working)
        format_advice.show([fmt for fmt, _ in working])
        formats_tables.show_broken(troubles)
    return None


def _document(schema: str, body: dict[str, list[Any]], troubles: list[Trouble]) -> None:
    broken = [attrs.asdict(each) for each in troubles]
    json_documents.show(schema, {**body, "broken": broken})


def _broken(troubles: list[Trouble], *, as_json: bool) -> None:
    if as_json:
        return _document("formats", {"formats": []}, troubles)
    formats_tables.show_broken(troubles)
    return None if troubles else terminal.out("no plugin is broken")


def _one(tag: FourCC, *, as_json: bool) -> None:
    from fourcc.plugins.registry import registry

    fmt, owner = next(registry.working([tag]), None) or (registry[tag], registry.entry(tag))
    if as_json:
        return json_documents.show("format", formats_tables.document(fmt, owner))
    return formats_tables.show_one(fmt, owner)


def _files() -> Iterator[dict[str, str]]:
    """The kinds of files, with the columns of the table: those to be read, then those to be written, plugins' last."""
    from fourcc import exporters, sources
    from fourcc.cli.shared.providers import OWN as PROVIDER

    own = str(PROVIDER)
    told = [(kind.name, "read", "", own, "") for kind in sources.KINDS]
    told += [(kind.name, "read", "", entry.owner, "") for kind, entry in sources.PLUGGED.working()]
    told += [(kind.name, "write", kind.suffix, own, kind.summary) for kind in exporters.KINDS.values()]
    told += [
        (kind.name, "write", kind.suffix, entry.owner, kind.summary) for kind, entry in exporters.PLUGGED.working()
    ]
    for each in told:
        yield dict(zip(("kind", "can", "suffix", "provider", "summary"), each, strict=True))
