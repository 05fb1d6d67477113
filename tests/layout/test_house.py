"""The layout of the repository: what must exist together, what must be installed, what must not be named."""

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import fourcc
from fourcc.cli.app import COMMANDS
from fourcc.plugins.entries import FORMATS, OWN
from fourcc.plugins.registry import registry
from tests.layout.source import modules, nodes_of, tree_of

# The files directly in a folder that are no format, no format's kernel, no command: its face, what all share.
EXCEPTIONS = {"formats": {"__init__"}, "kernels": {"__init__", "kernel", "descriptors"}, "cli": {"__init__", "app"}}


def setup(root: Path) -> dict[str, object]:
    """The table [tool.setuptools]."""
    tables: dict[str, object] = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]
    return tables


def own_stems() -> set[str]:
    """Stems of the built-in formats, from the entry points that are installed."""
    points = importlib.metadata.entry_points(group=FORMATS)
    return {point.value.split(":")[0].rsplit(".", 1)[1] for point in points if point.dist and point.dist.name == OWN}


def test_every_package_is_installed(root: Path) -> None:
    """An explicit list of packages silently drops a new folder from the wheel."""
    tables = setup(root)
    pages = {"fourcc.specs"}  # no code: package-data takes pages from it, and the site's hooks stay behind
    found = {
        ".".join([name, *init.parent.relative_to(root / top).parts])
        for name, top in tables["package-dir"].items()  # type: ignore[attr-defined]
        for init in (root / top).rglob("__init__.py")
        if name not in pages
    }
    assert found | pages == set(tables["packages"])  # type: ignore[call-overload]
    assert pages <= set(tables["package-data"])  # type: ignore[call-overload]


@pytest.mark.parametrize("name", ["formats", "kernels", "cli"])
def test_links_lead_to_the_folders(root: Path, name: str) -> None:
    """The links that make a checkout look like an install."""
    link = root / "fourcc" / name
    assert link.is_symlink()
    assert link.readlink() == Path("..") / name


@pytest.mark.parametrize("name", ["formats", "kernels", "cli"])
def test_bare_names_cannot_be_imported(root: Path, name: str) -> None:
    """A second import under another name would make two of everything."""
    run = subprocess.run(
        [sys.executable, "-c", f"import {name}"], cwd=root, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert f"this folder is the package fourcc.{name}" in run.stderr


def files_in(folder: Path) -> set[str]:
    """Stems of the files directly in a folder that are not exceptions."""
    return {path.stem for path in folder.glob("*.py")} - EXCEPTIONS[folder.name]


def test_stems_pair_up(root: Path) -> None:
    """One tag, one stem: format, page, vectors and test have the same name, and a format's kernel has it, too."""
    stems = own_stems()
    assert files_in(root / "formats") == stems
    for stem in stems:
        for path in (f"specs/{stem}.md", f"specs/vectors/{stem}.json", f"tests/formats/test_{stem}.py"):
            assert (root / path).is_file(), f"{path} is missing"
    own = [tag for tag in registry if registry.entry(tag).distribution == OWN]
    assert files_in(root / "kernels") == {str(tag).lower() for tag in own if registry[tag].kernel is not None}


def test_a_file_of_the_command_line_is_a_command(root: Path) -> None:
    """Helpers live in folders that say what they do."""
    assert files_in(root / "cli") == set(COMMANDS.values())


def test_the_page_of_the_vectors_names_what_their_files_hold(root: Path) -> None:
    """It names the keys of a file and of its cases, and nothing else."""
    folder = root / "specs" / "vectors"
    files = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
    held = {key for file in files for key in (*file, *(key for case in file["cases"] for key in case))}
    lines = (folder / "README.md").read_text(encoding="utf-8").splitlines()
    named = {key for line in lines if line.startswith("|") for key in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert named == held


def test_entry_points_name_the_tag_and_the_stem() -> None:
    """`Q8_A = "fourcc.formats.q8_a:Q8_A"`: tag, stem and value spell the same."""
    for tag in registry:
        entry = registry.entry(tag)
        if entry.distribution == OWN:
            assert entry.target == f"fourcc.formats.{str(tag).lower()}:{tag}"


def test_public_names_are_pinned() -> None:
    """The names that `import fourcc` promises."""
    assert sorted(fourcc.__all__) == fourcc.__all__
    assert list(fourcc._HOMES) == fourcc.__all__
    for name, home in fourcc._HOMES.items():
        assert home.startswith("fourcc.")
        assert getattr(fourcc, name) is not None
    assert {name for name in dir(fourcc) if not name.startswith("_")} >= set(fourcc.__all__)


def test_import_is_light() -> None:
    """`import fourcc` loads neither numpy nor numba."""
    code = "import sys, fourcc; print(sorted({'numpy', 'numba', 'typer', 'msgpack', 'attrs'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "[]\n"


def code_words(path: Path) -> set[str]:
    """Names and text constants of a file, docstrings and the epilogs of help texts aside."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    help_texts = {
        id(child)
        for node in tree_of(path).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "").endswith("EPILOG")
        for child in ast.walk(node)
    }
    docs = help_texts | {
        id(node.body[0].value) for node in nodes_of(path) if isinstance(node, documented) and ast.get_docstring(node)
    }
    words: set[str] = set()
    for node in nodes_of(path):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            words |= set(re.findall(r"(?<![<|\w])\w+", node.value))  # numpy's "<i8" names no format
        elif isinstance(node, ast.Name):
            words.add(node.id)
        elif isinstance(node, ast.Attribute):
            words.add(node.attr)
        elif isinstance(node, ast.alias):
            words |= set(node.name.split("."))
    return words


def test_no_format_is_named_in_the_core(root: Path) -> None:
    """The core and the command line ask the registry; they know no tag and no stem of a quantized format."""
    tags = {str(tag) for tag in registry} | own_stems() - {"bool"}
    paths = [path for path in modules(root) if path.relative_to(root).parts[0] in {"fourcc", "cli"}]
    named = {str(path.relative_to(root)): sorted(words) for path in paths if (words := tags & code_words(path))}
    assert not named
