"""The schemas of what ``--json`` prints, as tables; ``--update`` fills the page specs/reference/json.md with them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.markdown import filled

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "specs" / "reference" / "json.md"
SCHEMAS = PAGE.with_name("schemas")


def schemas() -> dict[str, dict[str, Any]]:
    """Every schema by its title, such as ``fourcc.verify/1``."""
    files = sorted(SCHEMAS.glob("*.json"))
    read = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    return {each["title"]: each for each in read}


def fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Path, schema and whether it is always there, of every field below an object, those of lists and maps included.

    A path is `a.b`; `[]` stands for the items of a list, `*` for the names of a map.
    """
    required = schema.get("required", ())
    for name, inner in schema.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here, inner, name in required
        yield from _below(inner, here)


def _below(schema: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any], bool]]:
    yield from fields(schema, path)
    for key, end in (("items", "[]"), ("additionalProperties", ".*")):
        inner = schema.get(key)
        if isinstance(inner, dict):
            yield from _below(inner, path + end)


def kind(schema: dict[str, Any]) -> str:
    """The type in words, such as `text or null`."""
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return ", ".join(f"`{each}`" for each in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(map(kind, schema["anyOf"]))
    types = [schema["type"]] if isinstance(schema["type"], str) else schema["type"]
    return " or ".join(_word(each, schema) for each in types)


def _word(name: str, schema: dict[str, Any]) -> str:
    if name == "array":
        items = schema.get("items")
        return f"list of {kind(items)}" if items else "list"
    if name == "object":
        inner = schema.get("additionalProperties")
        return f"map to {kind(inner)}" if isinstance(inner, dict) else "object"
    return {"string": "text", "integer": "integer", "number": "number", "boolean": "true or false"}.get(name, name)


def tables() -> str:
    """A section for every schema."""
    sections = []
    for title, schema in schemas().items():
        lines = [f"## {title}", "", schema["description"], "", "| field | type | meaning |", "|---|---|---|"]
        for path, inner, always in list(fields(schema))[1:]:
            words = inner.get("description", "")
            lines.append(f"| `{path}`{'' if always else ' *'} | {kind(inner)} | {words} |")
        sections.append("\n".join(lines))
    return "\n\n".join(sections)


def page() -> str:
    """The page with the tables of today."""
    return filled(PAGE.read_text(encoding="utf-8"), "schemas", tables())


if __name__ == "__main__":
    if "--update" in sys.argv[1:]:
        PAGE.write_text(page(), encoding="utf-8", newline="\n")
    else:
        sys.stdout.write(tables() + "\n")
