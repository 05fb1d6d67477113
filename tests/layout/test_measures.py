"""How the source is written: sizes, names that stand for one thing, docstrings that open plainly."""

import ast
import re
from collections import defaultdict
from pathlib import Path
from statistics import median

from tests.layout.source import code_lines, docstrings, functions, modules, nodes_of

FILE = 300  # lines of a file
PAGE = 100  # lines of code of a format
FUNCTION, KERNEL = 40, 60  # lines of a function, and of one in kernels/
USUAL_FUNCTION, USUAL_KERNEL = 12, 20  # of half of them, at most

# A docstring says what something is or does; these openings make the reader wait for it.
SLOW = re.compile(r"(What|Of|The same|That|Those|Who|Which) ")

BARE_RUFF = re.compile(r"[#] noqa(?!: [A-Z0-9, ]+ - )")
BARE_MYPY = re.compile(r"# type: ignore\[[^\]]*\]$")


def top(path: Path, root: Path) -> str:
    """The top-level folder of a file."""
    return path.relative_to(root).parts[0]


def test_functions_are_short(root: Path) -> None:
    """Docstrings are not counted."""
    for path in modules(root):
        most = KERNEL if top(path, root) == "kernels" else FUNCTION
        assert not [(name, size) for name, size in functions(path) if size > most], path


def test_most_functions_are_much_shorter(root: Path) -> None:
    """A limit alone would let all of them grow up to it."""
    sizes = defaultdict(list)
    for path in modules(root):
        sizes[top(path, root) == "kernels"] += [size for _, size in functions(path)]
    assert median(sizes[False]) <= USUAL_FUNCTION
    assert median(sizes[True]) <= USUAL_KERNEL


def test_files_are_short(root: Path) -> None:
    """This holds in all four folders."""
    long = {str(path): size for path in modules(root) if (size := path.read_text().count("\n")) > FILE}
    assert not long


def test_a_format_is_a_page(root: Path) -> None:
    """Its drawing, its formula and its docstrings do not count."""
    long = {path.name: size for path in (root / "formats").glob("*.py") if (size := code_lines(path)) > PAGE}
    assert not long


def test_no_class_name_stands_for_two_things(root: Path) -> None:
    """In the whole package, so that a name can be searched for."""
    homes = defaultdict(list)
    for path in modules(root):
        for node in nodes_of(path):
            if isinstance(node, ast.ClassDef):
                homes[node.name].append(str(path.relative_to(root)))
    assert not {name: paths for name, paths in homes.items() if len(paths) > 1}


def test_what_a_checker_is_told_to_ignore_has_its_reason(root: Path) -> None:
    """The reason stands behind the rule; tests need none for mypy, whose code says enough there."""
    bare = []
    for path in [*modules(root), *(root / "tests").rglob("*.py")]:
        text = path.read_text()
        for number, line in enumerate(text.splitlines() if "noqa" in text or "# type:" in text else (), 1):
            ignored = BARE_MYPY.search(line) if root / "tests" not in path.parents else None
            if BARE_RUFF.search(line) or ignored:
                bare.append(f"{path.relative_to(root)}:{number}")
    assert not bare


def test_docstrings_open_plainly(root: Path) -> None:
    """They open with the thing or the deed."""
    paths = [*modules(root), *(root / "tests").rglob("*.py")]
    slow = [f"{path}:{line}: {text[:60]}" for path in paths for line, text in docstrings(path) if SLOW.match(text)]
    assert not slow
