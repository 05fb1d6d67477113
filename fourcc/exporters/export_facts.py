"""The facts that the bytes of an export depend on, as `fourcc.conversion.plan_facts` has those of a conversion."""

from __future__ import annotations

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
            "places": _digest(layout),
        },
        "file beside": digests(layout.beside),
    }


def _digest(layout: Layout) -> str:
    """A digest of where each part lies, of which are made of others, and of the bytes that belong to no tensor."""
    places = {name: dict(parts) for name, parts in layout.places.items()}
    text = repr((places, list(layout.pieces), sorted(layout.packed))).encode()
    return xxh3_128_hexdigest(b"".join([text, *layout.pieces.values()]))
