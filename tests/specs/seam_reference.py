"""The reference page of the seam, made from the docstrings of the types that an author of a format meets.

python -m tests.specs.seam_reference            print it
python -m tests.specs.seam_reference --update   write it into specs/seam.md
"""

import argparse
import inspect
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import attrs

import fourcc

PAGE = Path(__file__).resolve().parents[2] / "specs" / "seam.md"
HEAD = """\
# The types of a format

Everything here is imported from `fourcc`: `from fourcc import Format, Blocks, packed`. [Writing a
format](writing-a-format.md) shows how it is used. This page is made from the docstrings:
`python -m tests.specs.seam_reference --update`.

An `Array` is a numpy array, `Floats` is one of float32; `Parts` maps names of parts to arrays, `Params` maps names of
settings to values.
"""
CLASSES = ("Format", "Blocks", "Original", "Geometry", "Setting", "Turn", "Sparse", "Grid", "Aids")
PARTS = ("per_block", "per_weight", "packed", "per_row", "per_column", "per_matrix", "ragged", "record")
FREE = """\
A layout that none of these describes is a `Part(name, dtype, tail=..., rows=...)`: `tail` is a function of the geometry
that gives the dimensions after the first, `rows` the matrix rows that one entry along the first dimension covers (None:
the part belongs to the whole matrix). No block has a share of such a part, so its format gives `decode`.
"""
SECTION = re.compile(r"^(Attributes|Args|Returns|Raises):$", re.MULTILINE)
ENTRY = re.compile(r"^(\w+(?:, \w+)*): ", re.MULTILINE)


def page() -> str:
    """The page."""
    parts = "\n".join(function(name) for name in PARTS)
    types = "\n".join(value(name) for name in CLASSES[1:])
    return f"{HEAD}\n{value('Format')}\n## Parts\n\n{parts}\n{FREE}\n{types}"


def value(name: str) -> str:
    """A class: what it is, then each field with its type, its default and its meaning."""
    cls = getattr(fourcc, name)
    told, _ = documented(cls)
    meanings = {key: text for base in reversed(cls.__mro__) for key, text in _fields(base)}
    fields = {field.name: field for field in attrs.fields(cls)}
    order = sorted(meanings, key=lambda key: [*fields].index(key.partition(",")[0]))
    lines = [f"* `{_declared(key, fields)}`: {meanings[key]}" for key in order]
    lines += [f"* `{key}`: {text}" for key, text in _properties(cls)] if name != "Format" else []
    return f"## {name}\n\n{told}\n\n{chr(10).join(lines)}\n"


def _properties(cls: type) -> Iterator[tuple[str, str]]:
    """The properties of a type, with their meanings."""
    for name, thing in vars(cls).items():
        if isinstance(thing, property):
            told, _ = documented(thing)
            yield name, told[0].lower() + told[1:]


def _fields(cls: type) -> Iterator[tuple[str, str]]:
    return entries(documented(cls)[1].get("Attributes", "")) if attrs.has(cls) else iter(())


def _declared(key: str, fields: dict[str, "attrs.Attribute[object]"]) -> str:
    """The name or names, the type and the default of a field, as the class declares them."""
    first = fields[key.partition(",")[0]]
    optional = first.default is not attrs.NOTHING
    told = f"{key}: {first.type if isinstance(first.type, str) else inspect.formatannotation(first.type)}"
    return f"{told} = {first.default!r}" if optional and not isinstance(first.default, attrs.Factory) else told


def function(name: str) -> str:
    """A function: its signature, what it makes, its arguments."""
    made = getattr(fourcc, name)
    told, sections = documented(made)
    signature = str(inspect.signature(made)).replace("'", "")
    lines = "".join(f"\n* `{key}`: {text}" for key, text in entries(sections.get("Args", "")) if key != "name")
    return f"### {name}\n\n`{name}{signature}`\n\n{told}\n{lines and lines + chr(10)}"


def documented(thing: object) -> tuple[str, dict[str, str]]:
    """A docstring before its sections, and its sections by name, without indents."""
    text = inspect.cleandoc(thing.__doc__ or "")
    told, *found = SECTION.split(text.replace("``", "`"))
    bodies = (textwrap.dedent(body).strip("\n") for body in found[1::2])
    return told.strip(), dict(zip(found[0::2], bodies, strict=True))


def entries(section: str) -> Iterator[tuple[str, str]]:
    """The names of a section with their texts, each on one line."""
    _, *found = ENTRY.split(section)
    for key, text in zip(found[0::2], found[1::2], strict=True):
        yield key, " ".join(text.split())


def main() -> None:
    """Prints the page, or writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write it")
    if parser.parse_args().update:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        sys.stdout.write(page())


if __name__ == "__main__":
    main()
