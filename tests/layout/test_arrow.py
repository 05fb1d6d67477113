"""The import arrow: who may import whom, read from the source without running it."""

import ast
from pathlib import Path

import pytest

from tests.layout.source import modules, nodes_of

# Lowest layer first; a module imports only from layers below its own. Lazy imports count.
LAYERS = [
    {
        "arrays",
        "errors",
        "metrics",
        "kernels",
        "dtypes",
        "installation",
        "naming",
        "progress",
        "resident",
        "settings",
        "tags",
    },
    {"drawing", "files", "geometry", "networks", "threads"},
    {"example", "execution", "hub", "part", "records"},
    {"exchange", "matrix_view", "packing", "spec"},
    {"block_layout", "compute"},
    {"block_decoding", "grid", "rates"},
    {"format"},
    {"block_encoding", "plugins", "parts"},
    {"formats", "tiles", "policy", "scaffold", "feedback", "cluster"},
    {"qmatrix", "matrix_encoder"},
    {"encoding", "container"},
    {"sources", "testing"},
    {"conversion"},
    {"analysis", "models"},
    {"exporters"},
    {"calibration"},
    {"quantizing"},
    {"forecasting", "reporting"},
    {"bench"},  # beside `compute`, bench is the only folder that imports kernels, for its rooflines
    {"cli"},
]
LAYER = {name: number for number, layer in enumerate(LAYERS) for name in layer}


def unit(path: Path, root: Path) -> str:
    """The unit of the import order that a file belongs to: its folder below fourcc/, or its own name."""
    parts = path.relative_to(root).parts
    if parts[0] != "fourcc":
        return parts[0]
    return parts[1] if len(parts) > 2 else path.stem


def imported(path: Path, *, types: bool) -> set[str]:
    """Full names of the modules that a file imports, wherever in it; those only for type checkers on demand."""
    names: set[str] = set()
    guarded = {
        id(child)
        for node in nodes_of(path)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for child in ast.walk(node)
    }
    for node in nodes_of(path):
        if id(node) in guarded and not types:
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_imports_point_downwards(root: Path) -> None:
    """No unit imports from its own layer or above; fourcc/__init__ and __main__ may import all."""
    wrong = []
    for path in modules(root):
        here = unit(path, root)
        if here in {"__init__", "__main__"}:
            continue
        for name in imported(path, types=False):
            there = name.split(".")[1] if name.startswith("fourcc.") else None
            if there in LAYER and there != here and LAYER[there] >= LAYER[here]:
                wrong.append(f"{path.relative_to(root)} imports {name}")
    assert not wrong


def arrows(root: Path) -> dict[str, set[str]]:
    """Full name of every file -> those it imports, for type checkers alone included; a package's face has no arrows."""
    files = {module(path, root): path for path in modules(root)}
    names = {name: imported(path, types=True) for name, path in files.items()}
    return {name: names[name] & set(files) - {name} for name in files if files[name].stem != "__init__"}


def module(path: Path, root: Path) -> str:
    """The full name of a file."""
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts if parts[0] == "fourcc" else ("fourcc", *parts))


def test_no_file_imports_in_a_circle(root: Path) -> None:
    """Files without an import among the rest are taken away, until none is left."""
    left = arrows(root)
    while ends := [name for name, imports in left.items() if not imports & set(left)]:
        for name in ends:
            del left[name]
    assert not {name: imports & set(left) for name, imports in left.items()}


def test_every_unit_has_a_layer(root: Path) -> None:
    """A new file or folder below fourcc/ is entered into the table above."""
    units = {unit(path, root) for path in modules(root)} - {"__init__", "__main__"}
    assert units <= set(LAYER)
    assert set(LAYER) <= units


@pytest.mark.parametrize("folder", ["fourcc", "formats"])
def test_core_and_formats_import_neither_numba_nor_typer(root: Path, folder: str) -> None:
    """Only kernels/ knows numba, only cli/ knows typer."""
    for path in modules(root):
        if path.relative_to(root).parts[0] == folder:
            tops = {name.split(".")[0] for name in imported(path, types=True)}
            assert not tops & {"numba", "llvmlite", "typer"}, path


def test_kernels_import_only_numpy_and_numba(root: Path) -> None:
    """Kernels know nothing of the core."""
    for path in (root / "kernels").rglob("*.py"):
        names = imported(path, types=True)
        assert not {name for name in names if name.startswith("fourcc") and not name.startswith("fourcc.kernels")}, path


def test_nothing_is_printed_outside_the_command_line(root: Path) -> None:
    """The core returns values; only cli/ writes to the terminal."""
    for path in modules(root):
        if path.relative_to(root).parts[0] == "cli":
            continue
        calls = [node for node in nodes_of(path) if isinstance(node, ast.Call)]
        assert not [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"], path
