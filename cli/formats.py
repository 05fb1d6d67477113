"""`fourcc formats`: the installed formats, what they can do, and which plugins are broken, of any kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import attrs
import typer

from fourcc.cli.render import format_page, json_documents, tables, terminal, units
from fourcc.cli.render.cell_styles import by_bits
from fourcc.cli.render.tables import Column
from fourcc.cli.shared.options import Json
from fourcc.errors import DuplicateTagError, PluginError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from fourcc.format import Format
    from fourcc.part import Part
    from fourcc.plugins.entries import Entry
    from fourcc.settings import Setting
    from fourcc.tags import FourCC

EPILOG = """\b
Examples:
  fourcc formats
  fourcc formats Q8_0
  fourcc formats Q8_0 --page
  fourcc formats --files
  fourcc formats --broken

FOURCC_PLUGINS=a,b allows only the plugins of these packages beside what is fourcc's own."""

COLUMNS = (
    Column("tag"),
    Column("bits/weight", right=True, style=by_bits),
    Column("block"),
    Column("can", leave=3),
    Column("products"),
    Column("needs", leave=2),
    Column("provided by", leave=1),
    Column("summary", wraps=30),
)
FILES = (Column("kind"), Column("can"), Column("suffix"), Column("provided by", leave=1), Column("summary", wraps=24))
BELONGS = {
    "block": "for each block",
    "weight": "for each weight",
    "row": "for each row",
    "column": "for each column",
    "matrix": "for the matrix",
    "ragged": "for the matrix, of variable length",
}
BROKEN = (Column("broken"), Column("is a"), Column("provided by"), Column("reason", wraps=40))
SETTINGS = (
    Column("setting"),
    Column("kind"),
    Column("default"),
    Column("allowed", wraps=16),
    Column("summary", wraps=24),
)

Tag = Annotated[str | None, typer.Argument(metavar="TAG", help="Show one format in depth.")]
Files = Annotated[bool, typer.Option("--files", help="The kinds of files that can be read and exported to, instead.")]
BrokenOnly = Annotated[bool, typer.Option("--broken", help="Only what cannot be used, of formats and of files: why.")]
Page = Annotated[
    bool, typer.Option("--page", help="The format's page instead: its bytes, what they mean, how they are chosen.")
]


@attrs.frozen
class Trouble:
    """A plugin that cannot be used."""

    name: str
    kind: str
    owner: str
    reason: str


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

    Bits per weight, what each can do, who provides it, and which plugins are broken.
    """
    if tag is not None and (files or broken):
        raise UsageError("--files and --broken list: they take no TAG", found=tag)
    if page and tag is None:
        raise UsageError("--page wants a TAG", hint="`fourcc formats` lists them.")
    if page:
        format_page.show(_tag(str(tag)), as_json=as_json)
    elif tag is not None:
        _show_one(tag, as_json=as_json)
    elif broken:
        troubles = [*survey()[1], *broken_files()]
        _show("formats", FILES, {"formats": [], "broken": troubles}, [], as_json=as_json)
        if not (troubles or as_json):
            terminal.out("no plugin is broken")
    elif files:
        kinds = list(_files())
        rows = [[*map(str, each.values())] for each in kinds]
        _show("files", FILES, {"files": kinds, "broken": broken_files()}, rows, as_json=as_json)
    else:
        working, troubles = survey()
        entries = [_entry(fmt, owner) for fmt, owner in working] if as_json else []
        rows = [] if as_json else [_row(fmt, owner) for fmt, owner in working]
        _show("formats", COLUMNS, {"formats": entries, "broken": troubles}, rows, as_json=as_json)


def _show(
    schema: str, columns: Sequence[Column], body: dict[str, list[Any]], rows: list[list[str]], *, as_json: bool
) -> None:
    """A list, and the plugins that are broken."""
    troubles = [attrs.asdict(each) for each in body["broken"]]
    if as_json:
        return json_documents.show(schema, {**body, "broken": troubles})
    if rows:
        tables.show(columns, rows)
    if troubles:
        terminal.out("")
        tables.show(BROKEN, [[*each.values()] for each in troubles])
    return None


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


def broken_files() -> list[Trouble]:
    """The plugins for files that cannot be used."""
    from fourcc import exporters, sources

    plugged = {"source": sources.PLUGGED.broken(), "exporter": exporters.PLUGGED.broken()}
    return [
        Trouble(each.entry.name, kind, each.entry.owner, each.reason) for kind, ones in plugged.items() for each in ones
    ]


def survey() -> tuple[list[tuple[Format, Entry]], list[Trouble]]:
    """The formats that work, and those that do not. A broken plugin hides no other."""
    from fourcc.plugins.registry import registry

    working = list(registry.working())
    troubles = [Trouble(each.entry.name, "format", each.entry.owner, each.reason) for each in registry.broken()]
    for tag in registry:
        try:
            registry.entry(tag)
        except DuplicateTagError as error:
            troubles.append(Trouble(str(tag), "format", "several packages", error.what))
    return working, troubles


def _show_one(text: str, *, as_json: bool) -> None:
    from fourcc.plugins.registry import registry

    tag = _tag(text)
    fmt, owner = next(registry.working([tag]), None) or (registry[tag], registry.entry(tag))
    if as_json:
        json_documents.show("format", _entry(fmt, owner))
        return
    tables.facts([(name, value) for name, value in _facts(fmt, owner) if value])
    terminal.out("")
    for part in fmt.parts:
        tables.paragraph(f"part {part.name}: {_part(part)}")
    rows = [_setting("param", each) for each in fmt.params] + [_setting("encoder", each) for each in fmt.options]
    if rows:
        terminal.out("")
        tables.show(SETTINGS, rows)


def _part(part: Part) -> str:
    """A part's numbers, and what they belong to."""
    numbers = json_documents.dtype(part.dtype)
    if part.packing is not None:
        numbers = f"codes of {units.bits(part.packing.bits_per_code)} bits"
    shape = "".join(f" x {size}" for size in part.dims)
    if part.reach != "free":
        return f"{numbers}{shape}, {BELONGS[part.reach]}"
    return f"{numbers}, " + ("for the matrix" if part.rows is None else f"for {part.rows} row{'s' * (part.rows != 1)}")


def _tag(text: str) -> FourCC:
    from fourcc.tags import as_tag

    try:
        return as_tag(text)
    except ValueError as error:
        raise UsageError(str(error), hint="`fourcc formats` lists them.") from error


def _facts(fmt: Format, owner: Entry) -> list[tuple[str, str]]:
    return [
        ("tag", str(fmt.tag)),
        ("name", fmt.name),
        ("summary", fmt.summary),
        ("bits per weight", units.bits(fmt.bits_per_weight())),
        ("block", _block(fmt)),
        ("short blocks", "stored" if fmt.short_block else "refused"),
        ("can", _abilities(fmt)),
        ("needs", ", ".join(sorted(fmt.needs))),
        ("uses if given", ", ".join(sorted(fmt.uses))),
        ("decodes to", fmt.decoded),
        ("NaN, infinity", "held" if fmt.nonfinite else "refused"),
        ("products", _products_in_depth(fmt)),
        ("fused", _fused_rate(fmt)),
        ("ids elsewhere", ", ".join(f"{system} {identity}" for system, identity in fmt.foreign.items())),
        ("encoder version", str(fmt.encoder_version)),
        ("provided by", f"{owner.owner} ({owner.target})"),
    ]


def _row(fmt: Format, owner: Entry) -> list[str]:
    bits = units.bits(fmt.bits_per_weight())
    needs = ", ".join(sorted(fmt.needs)) or "-"
    return [str(fmt.tag), bits, _block(fmt), _abilities(fmt), _products(fmt), needs, owner.owner, fmt.summary]


def _block(fmt: Format) -> str:
    return " x ".join("all" if size is None else str(size) for size in fmt.block)


def _abilities(fmt: Format) -> str:
    able = ["decode"] + ["encode"] * (fmt.encode is not None)
    return ", ".join(able + ["integers"] * (not fmt.real))


def _products(fmt: Format) -> str:
    """How a matrix is multiplied. A block decoder is traced to find out whether it can be fused."""
    return _level(fmt)[0]


def _products_in_depth(fmt: Format) -> str:
    """How a matrix is multiplied, and by which function."""
    return ": ".join(filter(None, _level(fmt)))


def _fused_rate(fmt: Format) -> str:
    """How long fused products take, measured now."""
    from fourcc.testing.fused_rates import line_of

    return line_of(fmt)


def _level(fmt: Format) -> tuple[str, str]:
    """How a matrix is multiplied: native, fused or decode; and, where it is not native, why."""
    if not fmt.real or fmt.kernel is not None:
        return ("native" if fmt.real else "-"), ""
    from fourcc import compute

    try:
        reason = compute.why_decoded(fmt)
    except PluginError as error:
        return "none", f"{error.what}: {error.found}"
    return ("decode", reason) if reason else ("fused", "made from the block decoder; it declares no kernel of its own")


def _setting(kind: str, setting: Setting) -> list[str]:
    return [setting.name, kind, str(setting.default), _allowed(setting), setting.summary]


def _allowed(setting: Setting) -> str:
    if setting.choices:
        return ", ".join(map(str, setting.choices))
    if setting.low is None and setting.high is None:
        return "true, false" if isinstance(setting.default, bool) else f"any {type(setting.default).__name__}"
    low, high = ("" if bound is None else str(bound) for bound in (setting.low, setting.high))
    return f"{low} to {high}".strip()


def _entry(fmt: Format, owner: Entry) -> dict[str, object]:
    return {
        "tag": str(fmt.tag),
        "name": fmt.name,
        "summary": fmt.summary,
        "bits_per_weight": json_documents.bits(fmt.bits_per_weight()),
        "block": list(fmt.block),
        "short_block": fmt.short_block,
        "encode": fmt.encode is not None,
        "real": fmt.real,
        "products": _products(fmt),
        "decoded": fmt.decoded,
        "nonfinite": fmt.nonfinite,
        "needs": sorted(fmt.needs),
        "uses": sorted(fmt.uses),
        "parts": [
            {"name": part.name, "dtype": part.dtype, "rows": part.rows, "variable": part.variable} for part in fmt.parts
        ],
        "params": [attrs.asdict(each) for each in fmt.params],
        "options": [attrs.asdict(each) for each in fmt.options],
        "foreign": dict(fmt.foreign),
        "encoder_version": fmt.encoder_version,
        "provider": owner.owner,
        "target": owner.target,
    }
