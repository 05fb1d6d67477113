"""The facts that the bytes of an export depend on, as `fourcc.conversion.plan_facts` has those of a conversion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xxhash import xxh3_128_hexdigest

from fourcc.conversion.plan_facts import digests, source_facts, steps_facts
from fourcc.exporters.layout import ExportKind, Layout
from fourcc.sources.source import Source


def export_facts(source: Source, kind: ExportKind, layout: Layout) -> dict[str, Any]:
    """The facts of an export, by name, as JSON can hold them. Raises as `plan_facts` does."""
    return {
        "work": f"export to {kind.name}",
        **source_facts(source),
        **steps_facts(layout.steps),
        "layout": {
            "bytes": layout.nbytes,
            "files": dict(layout.shards) or 1,
            "places": _digest(layout.places),
            "heads": xxh3_128_hexdigest(b"".join(layout.pieces.values())),
            "places of heads": list(layout.pieces),
            "packed": sorted(layout.packed),
        },
        "file beside": digests(layout.beside),
    }


def _digest(places: Mapping[str, Mapping[str, int]]) -> str:
    return xxh3_128_hexdigest(repr({name: dict(parts) for name, parts in places.items()}).encode())
