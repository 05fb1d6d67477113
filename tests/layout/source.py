"""The package's source files, parsed: what the tests of the layout measure."""

from __future__ import annotations

import ast
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TOPS = ("fourcc", "formats", "kernels", "cli")
LINKS = ("formats", "kernels", "cli")
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
NO_CODE = {
    *(tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT),
    *(tokenize.ENCODING, tokenize.ENDMARKER),
}


def modules(root: Path) -> list[Path]:
    """Every source file of the package, once: the links below fourcc/ lead to the same files again."""
    links = [root / "fourcc" / link for link in LINKS]
    paths = (path for top in TOPS for path in (root / top).rglob("*.py"))
    return sorted(path for path in paths if not any(link in path.parents for link in links))


@cache
def tree_of(path: Path) -> ast.Module:
    """The parsed file; parsing all of them takes seconds."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """Every node of the parsed file: a dozen tests look at them all, and the walk takes longer than the parsing."""
    return tuple(ast.walk(tree_of(path)))


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """Name and lines of every function of a file, docstrings left out."""
    for node in nodes_of(path):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            doc = ast.get_docstring(node, clean=False)
            yield node.name, (node.end_lineno or node.lineno) - node.lineno + 1 - (doc.count("\n") + 1 if doc else 0)


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Line and text of every docstring of a file."""
    for node in nodes_of(path):
        if isinstance(node, DOCUMENTED) and (text := ast.get_docstring(node)):
            yield node.body[0].lineno, text


def code_lines(path: Path) -> int:
    """Lines of code of a file: neither blank, nor comment, nor docstring."""
    with path.open("rb") as file:
        tokens = [token for token in tokenize.tokenize(file.readline) if token.type not in NO_CODE]
    lines = {line for token in tokens for line in range(token.start[0], token.end[0] + 1)}
    for node in nodes_of(path):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node):
            first = node.body[0]
            lines -= set(range(first.lineno, (first.end_lineno or first.lineno) + 1))
    return len(lines)
