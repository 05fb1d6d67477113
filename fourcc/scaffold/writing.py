"""Writes a plugin's files from the templates beside this module."""

from __future__ import annotations

import string
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import attrs

from fourcc import __version__
from fourcc.errors import OutputError, UsageError
from fourcc.scaffold.names import Names

# Template -> its place in the package; both may contain the fields of `Names`.
FILES = {
    "pyproject.toml.txt": "pyproject.toml",
    "README.md.txt": "README.md",
    "gitignore.txt": ".gitignore",
    "init.py.txt": "$module/__init__.py",
    "format.py.txt": "$module/$stem.py",
    "vectors.json.txt": "$module/vectors/$stem.json",
    "py.typed.txt": "$module/py.typed",
    "page.md.txt": "specs/$stem.md",
    "test_format.py.txt": "tests/test_$stem.py",
    "mixed.toml.txt": "mixed.toml",
}


def write_package(names: Names, folder: Path, *, force: bool = False) -> list[Path]:
    """Writes a plugin's files.

    Args:
        names: of the plugin.
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
    for path, text in contents(names):
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        written.append(target)
    return written


def contents(names: Names) -> Iterator[tuple[str, str]]:
    """The path within the package and the text of each file."""
    words = {**attrs.asdict(names), "version": __version__, "code": _code(names.tag)}
    templates = files("fourcc.scaffold") / "templates"
    for template, path in FILES.items():
        text = (templates / template).read_text(encoding="utf-8")
        yield string.Template(path).substitute(words), string.Template(text).substitute(words)


def _code(tag: str) -> str:
    """The tag's four bytes, in hexadecimal."""
    return tag.ljust(4).encode("ascii").hex(" ")
