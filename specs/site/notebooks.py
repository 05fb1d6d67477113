"""Notebooks as pages: run while building, each in a folder of its own, since they are stored without outputs."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

FOLDER = "notebooks"
SECONDS = 300  # that a cell may take


def stands_for(root: Path) -> dict[str, str]:
    """Path in the repository -> address in the site, of every notebook."""
    paths = sorted((root / "specs" / FOLDER).glob("*.ipynb"))
    return {f"specs/{FOLDER}/{path.name}": f"{FOLDER}/{path.stem}.md" for path in paths}


def made(root: Path) -> dict[str, str | bytes]:
    """Address -> page, or picture, of every notebook in specs/notebooks/."""
    found: dict[str, str | bytes] = {}
    for path in sorted((root / "specs" / FOLDER).glob("*.ipynb")):
        found |= _rendered(path, root)
    return found


def _rendered(path: Path, root: Path) -> dict[str, str | bytes]:
    """A notebook's page and its pictures, whose names begin with the notebook's."""
    from nbconvert import MarkdownExporter

    exporter = MarkdownExporter()  # type: ignore[no-untyped-call]  # nbconvert has no types there
    names = {"unique_key": path.stem, "output_files_dir": "."}
    with TemporaryDirectory() as folder:
        text, resources = exporter.from_notebook_node(executed(path, folder), resources=names)
    for place in (folder, root):  # where it was run tells readers nothing
        text = text.replace(f"{place}/", "")
    pictures = {f"{FOLDER}/{PurePosixPath(name).name}": data for name, data in resources.get("outputs", {}).items()}
    return {f"{FOLDER}/{path.stem}.md": text, **pictures}


def executed(path: Path, folder: str) -> Any:  # noqa: ANN401 - nbformat's nodes have no types
    """A notebook with the outputs of all cells, run in a folder. Raises CellExecutionError where a cell fails."""
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]  # nor has nbformat
    NotebookClient(notebook, timeout=SECONDS, resources={"metadata": {"path": folder}}).execute()
    return notebook
