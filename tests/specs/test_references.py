"""Names of this package in prose: every dotted ``fourcc`` name in a docstring, a comment or a page resolves."""

import ast
import importlib
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.layout.source import docstrings, nodes_of

ROOT = Path(__file__).parents[2]
FOLDERS = ("fourcc", "formats", "kernels", "cli", "specs", "tests")
COMMENTED = re.compile(r"#.*fourcc\.")  # a line that may have a comment with a dotted name
DOTTED = re.compile(r"(?<![\w./-])fourcc(?:\.[A-Za-z_]\w*)+(?![\w/-])")


def pages() -> list[Path]:
    """All Python files and pages of the repository's folders, without those that links name again."""
    paths = (path for folder in FOLDERS for path in _below(ROOT / folder))
    return sorted(path for path in paths if path.suffix in {".py", ".md"})


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            yield from _below(path)
        elif path.is_file():
            yield path


def prose(path: Path) -> Iterator[str]:
    """The docstrings and comments of a Python file, or the whole of a page."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        yield text
        return
    yield from (found for _, found in docstrings(path))
    if COMMENTED.search(text):  # to cut a file into tokens takes longer than all else
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield token.string


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one; fields of a class count as its attributes."""
    first, *rest = name.split(".")
    value: object = importlib.import_module(first)
    path = first
    for part in rest:
        path = f"{path}.{part}"
        if hasattr(value, part):
            value = getattr(value, part)
        elif part in getattr(value, "__annotations__", {}):
            return True
        else:
            try:
                value = importlib.import_module(path)
            except ModuleNotFoundError as error:
                return error.name is not None and not error.name.startswith("fourcc")  # a peer that is not installed
    return True


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_name_of_this_package_in_prose_resolves(folder: str) -> None:
    paths = [path for path in pages() if path.relative_to(ROOT).parts[0] == folder]
    named = [(path, name) for path in paths for text in prose(path) for name in DOTTED.findall(text)]
    assert paths
    assert [f"{path.relative_to(ROOT)}: {name}" for path, name in sorted(set(named)) if not resolves(name)] == []


def test_a_stale_name_is_seen(tmp_path: Path) -> None:
    """In a docstring and in a comment, but not in code, which other tools check."""
    source = tmp_path / "source.py"
    source.write_text('"""See `fourcc.kernels.simd.biased`."""\nx = "fourcc.none"  # fourcc.format.Nothing\n')
    names = [name for text in prose(source) for name in DOTTED.findall(text)]
    assert names == ["fourcc.kernels.simd.biased", "fourcc.format.Nothing"]
    assert not any(map(resolves, names))
    assert all(map(resolves, ["fourcc.kernels.simd.dot.biased", "fourcc.format.Format", "fourcc.kernels.simd"]))


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """Module and name of everything that a file takes from this package, lazy imports included."""
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "fourcc":
            yield from ((node.module or "", alias.name) for alias in node.names)


def is_there(module: str, name: str) -> bool:
    """Whether a module has a name, or is a package with a module of that name."""
    if hasattr(importlib.import_module(module), name):
        return True
    try:
        importlib.import_module(f"{module}.{name}")
    except ModuleNotFoundError:
        return False
    return True


def test_what_scripts_import_is_there() -> None:
    """Lanes and scripts below tests/ run seldom, and no type checker reads them."""
    taken = {(str(path), *each) for path in _below(ROOT / "tests") if path.suffix == ".py" for each in imports(path)}
    assert len(taken) > 500
    assert not [each for each in taken if not is_there(each[1], each[2])]
