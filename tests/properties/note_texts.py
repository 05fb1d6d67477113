"""The texts in code that may become a note or a part of one."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

LEAST = 4  # words
ERRORS = re.compile(r"Error$|[rR]efus|^(GGUF)?Key$|^info$|^take$|^number$|^text$")
OF_ERRORS = {"what", "found", "expected", "hint"}


def calls_of_errors(node: ast.AST) -> bool:
    """Whether a node is an error or goes into one."""
    if isinstance(node, ast.Call):
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        return ERRORS.search(name) is not None
    targets = node.targets if isinstance(node, ast.Assign) else []
    names = {getattr(leaf, "id", getattr(leaf, "attr", "")) for target in targets for leaf in ast.walk(target)}
    return isinstance(node, ast.Raise) or bool(names & OF_ERRORS)


def texts(node: ast.AST) -> Iterator[str]:
    """The texts in a statement that no error says, with ``.*`` for what is put into them."""
    if calls_of_errors(node) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)):
        return
    if isinstance(node, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else ".*" for part in node.values)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield node.value
    for child in ast.iter_child_nodes(node):
        if not (isinstance(node, ast.JoinedStr) and isinstance(child, ast.Constant)):
            yield from texts(child)


def texts_of(path: Path) -> set[str]:
    """The texts of a file's functions that have as many words as a note."""
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    bodies = [part for function in functions if function.name != "__repr__" for part in function.body]
    return {text for part in bodies for text in texts(part) if len(text.split()) >= LEAST}


def is_said(text: str, notes: set[str]) -> bool:
    """Whether a text is a part of a note."""
    pattern = re.escape(text).replace(re.escape(".*"), ".*")
    return any(re.search(pattern, note) for note in notes)
