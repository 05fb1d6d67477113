"""Notebooks: stored without outputs, in plain code, and they run. The site's build runs them, too."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "specs" / "notebooks").glob("*.ipynb"))
every = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path: Path, kind: str) -> list[dict[str, Any]]:
    """The cells of a kind."""
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


def test_the_page_lists_them() -> None:
    page = (ROOT / "specs" / "notebooks" / "index.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"\]\(([\w-]+\.ipynb)\)", page)) == [path.name for path in NOTEBOOKS]


@every
def test_they_are_stored_without_outputs(path: Path) -> None:
    """So that a change of them is a change of text, and nothing shown is old."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    assert set(notebook["metadata"]) == {"kernelspec", "language_info"}
    for cell in cells(path, "code"):
        assert (cell["outputs"], cell["execution_count"], cell["metadata"]) == ([], None, {})
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)


@every
def test_code_is_python_of_120_columns(path: Path) -> None:
    """No magic commands: it can be pasted into a script."""
    for cell in cells(path, "code"):
        text = "".join(cell["source"])
        ast.parse(text)
        assert max(map(len, text.splitlines())) <= 120


@every
def test_text_comes_first_and_names_what_follows(path: Path) -> None:
    first = json.loads(path.read_text(encoding="utf-8"))["cells"][0]
    assert first["cell_type"] == "markdown"
    assert first["source"][0].startswith("# ")


@pytest.mark.thorough
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the package's own making
@every
def test_they_run(path: Path, tmp_path: Path) -> None:
    """Every cell, in a folder of its own; what a result shows is HTML."""
    nbformat = pytest.importorskip("nbformat", reason="the extra docs brings it")
    client = pytest.importorskip("nbclient", reason="the extra docs brings it")
    pytest.importorskip("ipykernel", reason="the extra docs brings it")
    notebook = nbformat.read(path, as_version=4)
    client.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    shown = [output["data"] for cell in notebook.cells for output in cell.get("outputs", []) if "data" in output]
    assert sum('class="fc ' in data.get("text/html", "") for data in shown) >= 4
