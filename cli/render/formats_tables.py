"""The output of `fourcc formats`: a list of formats or kinds of files, one format in depth, and what is broken."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from fourcc.cli.render import json_documents, tables, terminal, units
from fourcc.cli.render.cell_styles import by_bits
from fourcc.cli.render.tables import Column
from fourcc.errors import PluginError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fourcc.cli.shared.installed import Trouble
    from fourcc.format import Format
    from fourcc.part import Part
    from fourcc.plugins.entries import Entry
    from fourcc.settings import Setting

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
BROKEN = (Column("broken"), Column("is a"), Column("provided by"), Column("reason", wraps=40))
SETTINGS = (
    Column("setting"),
    Column("kind"),
    Column("default"),
    Column("allowed", wraps=16),
    Column("summary", wraps=24),
)

BELONGS = {
    "block": "for each block",
    "weight": "for each weight",
    "row": "for each row",
    "column": "for each column",
    "matrix": "for the matrix",
    "ragged": "for the matrix, of variable length",
}


def show_formats(working: Sequence[tuple[Format, Entry]]) -> None:
    """Writes the formats to stdout, a line each."""
    tables.show(COLUMNS, [_row(fmt, owner) for fmt, owner in working])


def show_files(kinds: Sequence[dict[str, str]]) -> None:
    """Writes the kinds of files to stdout, a line each."""
    tables.show(FILES, [list(each.values()) for each in kinds])


def show_broken(troubles: Sequence[Trouble]) -> None:
    """Writes the plugins that cannot be used to stdout, if there are any, below what came before."""
    if troubles:
        terminal.out("")
        tables.show(BROKEN, [[*attrs.asdict(each).values()] for each in troubles])


def show_one(fmt: Format, owner: Entry) -> None:
    """Writes all that a format declares to stdout."""
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


def document(fmt: Format, owner: Entry) -> dict[str, object]:
    """A format as a JSON object."""
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
