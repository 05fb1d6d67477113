"""`fourcc formats`: the installed formats, what they can do, and which of them are broken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import attrs
import typer

from fourcc.cli.render import json_documents, tables, terminal, units
from fourcc.cli.render.tables import Column
from fourcc.cli.shared.options import Json
from fourcc.errors import DuplicateTagError, PluginError, UsageError

if TYPE_CHECKING:
    from fourcc.format import Format
    from fourcc.plugins.entries import Entry
    from fourcc.settings import Setting
    from fourcc.tags import FourCC

EPILOG = """\b
Examples:
  fourcc formats
  fourcc formats Q8_0
  fourcc formats --broken

FOURCC_PLUGINS=a,b allows only the formats of these packages beside fourcc's own."""

COLUMNS = (
    Column("tag"),
    Column("bits/weight", right=True),
    Column("block"),
    Column("can"),
    Column("products"),
    Column("needs"),
    Column("provided by"),
    Column("summary"),
)
BROKEN = (Column("broken"), Column("provided by"), Column("reason"))
SETTINGS = (Column("setting"), Column("kind"), Column("default"), Column("allowed"), Column("summary"))

Tag = Annotated[str | None, typer.Argument(metavar="TAG", help="Show one format in depth.")]
BrokenOnly = Annotated[bool, typer.Option("--broken", help="Only those that cannot be used, with the reason.")]

IMPORT_SECONDS = 20.0  # seconds that the import of a plugin may take


@attrs.frozen
class Trouble:
    """An entry point whose format cannot be used."""

    tag: str
    owner: str
    reason: str


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command(epilog=EPILOG)(formats)


def formats(tag: Tag = None, *, broken: BrokenOnly = False, as_json: Json = False) -> None:
    """List the installed formats, or show one in depth.

    Bits per weight, what each can do, who provides it, and which plugins are broken.
    """
    if tag is not None:
        _show_one(tag, as_json=as_json)
        return
    working, troubles = survey()
    if broken:
        working = []
    if as_json:
        entries = [_entry(fmt, owner) for fmt, owner in working]
        json_documents.show("formats", {"formats": entries, "broken": [attrs.asdict(each) for each in troubles]})
        return
    if working:
        tables.show(COLUMNS, [_row(fmt, owner) for fmt, owner in working])
    if troubles:
        terminal.out("")
        tables.show(BROKEN, [[each.tag, each.owner, each.reason] for each in troubles])
    elif broken:
        terminal.out("no format is broken")


def survey() -> tuple[list[tuple[Format, Entry]], list[Trouble]]:
    """The formats that work, and those that do not. A broken plugin hides no other."""
    from fourcc.plugins.registry import registry

    working, troubles = [], []
    for tag in registry:
        try:
            working.append(_imported(tag))
        except DuplicateTagError as error:
            troubles.append(Trouble(str(tag), "several packages", error.what))
        except PluginError:
            continue  # listed below
    troubles += [Trouble(each.entry.name, each.entry.owner, each.reason) for each in registry.broken()]
    return working, troubles


def _imported(tag: FourCC) -> tuple[Format, Entry]:
    """A format and its provider. A third party's is first imported in another process, since the import may crash."""
    from fourcc.plugins.entries import OWN
    from fourcc.plugins.registry import registry

    owner = registry.entry(tag)
    if owner.distribution != OWN:
        from fourcc.testing.process import import_apart

        died = import_apart(owner.target, IMPORT_SECONDS)
        if died is not None:
            registry.refuse(owner, f"its import ended a process: {died.found}")
    return registry[tag], owner


def _show_one(text: str, *, as_json: bool) -> None:
    fmt, owner = _imported(_tag(text))
    if as_json:
        json_documents.show("format", _entry(fmt, owner))
        return
    spec = fmt
    tables.facts([(name, value) for name, value in _facts(fmt, owner) if value])
    terminal.out("")
    for part in spec.parts:
        covers = "the whole matrix" if part.rows is None else f"{part.rows} row{'s' * (part.rows != 1)} an entry"
        terminal.out(
            f"part {part.name}: {json_documents.dtype(part.dtype)}, {'variable length' if part.variable else covers}"
        )
    rows = [_setting("param", each) for each in spec.params] + [_setting("encoder", each) for each in spec.options]
    if rows:
        terminal.out("")
        tables.show(SETTINGS, rows)


def _tag(text: str) -> FourCC:
    from fourcc.tags import as_tag

    try:
        return as_tag(text)
    except ValueError as error:
        raise UsageError(str(error), hint="`fourcc formats` lists them.") from error


def _facts(fmt: Format, owner: Entry) -> list[tuple[str, str]]:
    spec = fmt
    return [
        ("tag", str(spec.tag)),
        ("name", spec.name),
        ("summary", spec.summary),
        ("bits per weight", units.bits(spec.bits_per_weight())),
        ("block", _block(fmt)),
        ("short blocks", "stored" if spec.short_block else "refused"),
        ("can", _abilities(fmt)),
        ("needs", ", ".join(sorted(spec.needs))),
        ("uses if given", ", ".join(sorted(spec.uses))),
        ("decodes to", spec.decoded),
        ("NaN, infinity", "held" if spec.nonfinite else "refused"),
        ("activations", spec.partner or ""),
        ("products", _products_in_depth(fmt)),
        ("fused", _fused_rate(fmt)),
        ("ids elsewhere", ", ".join(f"{system} {identity}" for system, identity in spec.foreign.items())),
        ("encoder version", str(spec.encoder_version)),
        ("provided by", f"{owner.owner} ({owner.target})"),
    ]


def _row(fmt: Format, owner: Entry) -> list[str]:
    spec = fmt
    bits = units.bits(spec.bits_per_weight())
    needs = ", ".join(sorted(spec.needs)) or "-"
    return [str(spec.tag), bits, _block(fmt), _abilities(fmt), _products(fmt), needs, owner.owner, spec.summary]


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
    spec = fmt
    return {
        "tag": str(spec.tag),
        "name": spec.name,
        "summary": spec.summary,
        "bits_per_weight": json_documents.bits(spec.bits_per_weight()),
        "block": list(spec.block),
        "short_block": spec.short_block,
        "encode": fmt.encode is not None,
        "real": spec.real,
        "products": _products(fmt),
        "decoded": spec.decoded,
        "nonfinite": spec.nonfinite,
        "needs": sorted(spec.needs),
        "uses": sorted(spec.uses),
        "parts": [
            {"name": part.name, "dtype": part.dtype, "rows": part.rows, "variable": part.variable}
            for part in spec.parts
        ],
        "params": [attrs.asdict(each) for each in spec.params],
        "options": [attrs.asdict(each) for each in spec.options],
        "partner": spec.partner,
        "foreign": dict(spec.foreign),
        "encoder_version": spec.encoder_version,
        "provider": owner.owner,
        "target": owner.target,
    }
