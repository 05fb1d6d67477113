"""The page of facts that are stated twice: every test that it names exists."""

import ast
import re
from pathlib import Path

ROW = re.compile(r"^\| (?!fact |---)(.+) \|$", re.MULTILINE)
TEST = re.compile(r"`([\w/]+\.py)::(\w+)`")


def rows(root: Path) -> list[list[str]]:
    """The cells of each row."""
    text = (root / "specs" / "stated-twice.md").read_text()
    return [row.split(" | ") for row in ROW.findall(text)]


def test_every_row_names_tests_that_exist(root: Path) -> None:
    """Each row names at least one test that fails if the statements disagree."""
    assert len(rows(root)) >= 30
    for fact, statements, holds, tests in rows(root):
        assert fact
        assert statements
        assert holds
        named = TEST.findall(tests)
        assert named, fact
        for file, name in named:
            tree = ast.parse((root / "tests" / file).read_text())
            assert name in {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}, f"{file}::{name}"
