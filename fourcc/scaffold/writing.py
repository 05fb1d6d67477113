"""Writes a plugin's files from the templates beside this module, all but its stored bytes, which its encoder gives."""

from __future__ import annotations

import string
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import attrs

from fourcc import __version__
from fourcc.errors import OutputError, UsageError
from fourcc.scaffold.names import Names
from fourcc.scaffold.starting_points import StartingPoint

# Template -> its place in the package; names and texts may contain the fields of `Names` and `StartingPoint`.
FILES = {
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
    "gitignore.txt": ".gitignore",
    "init.py.txt": "$module/__init__.py",
    "$kind.py.txt": "$module/$stem.py",
    "py.typed.txt": "$module/py.typed",
    "test_format.py.txt": "tests/test_$stem.py",
    "mixed.toml.txt": "mixed.toml",
}


def write_package(names: Names, like: StartingPoint, folder: Path, *, force: bool = False) -> list[Path]:
    """Writes a plugin's files, all but its stored bytes.

    Args:
        names: of the plugin.
        like: the format that it begins with.
        folder: created where it does not exist.
        force: whether to write into a folder that is not empty and replace files of these names; other files stay.

    Returns:
        The files.

    Raises:
        UsageError: the folder is not empty, and `force` is not given.
        OutputError: the output exists and is no folder.
        OSError: a file cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError("the output exists and is no folder", file=folder)
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise UsageError(
            "the folder is not empty", file=folder, hint="--force writes into it, and replaces files of the same names."
        )
    written = []
    for path, text in contents(names, like):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8", newline="\n")
        written.append(target)
    return written


def contents(names: Names, like: StartingPoint) -> Iterator[tuple[str, str]]:
    """The path within the package and the text of each file."""
    words = {**attrs.asdict(names), **attrs.asdict(like), "kind": like.name, "version": __version__}
    templates = files("fourcc.scaffold") / "templates"
    for template, path in FILES.items():
        text = (templates / string.Template(template).substitute(words)).read_text(encoding="utf-8")
        yield string.Template(path).substitute(words), string.Template(text).substitute(words)
