"""The tasks of a developer: CONTRIBUTING lists those of the noxfile, and no others."""

import ast
import re
from pathlib import Path


def sessions(root: Path) -> list[tuple[str, str]]:
    """Every session's name and docstring, read without nox, which only developers have."""
    tree = ast.parse((root / "noxfile.py").read_text())
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.decorator_list]
    return [((ast.get_docstring(node) or "").removesuffix("."), node.name) for node in found]


def test_contributing_lists_every_session(root: Path) -> None:
    """In their order, each as its docstring has it."""
    text = (root / "CONTRIBUTING.md").read_text()
    rows = re.findall(r"^\| `nox -s (\w+)` \| (.+) \|$", text, re.MULTILINE)
    assert [(to, name) for name, to in rows] == sessions(root)


def test_what_must_hold_is_in_the_ci(root: Path) -> None:
    """The steps of `.ci/run` are those sessions that need nothing more than the repository."""
    steps = re.findall(r"^(?:step|aside) (\w+)", (root / ".ci" / "run").read_text(), re.MULTILINE)
    assert steps == ["install", "tests", "thorough", "lint", "types", "site", "pages"]
    assert set(steps[1:]) <= {name for _, name in sessions(root)}
