"""Environment variables and exit codes: the pages have all that the code knows."""

import ast
import re
from pathlib import Path

from fourcc import errors
from fourcc.cli.render import failures
from tests.layout.source import modules, nodes_of

ENVIRONMENT = "specs/reference/environment.md"
CODES = "specs/reference/exit-codes.md"
OURS = re.compile(r"\bFOURCC_[A-Z0-9_]+\b")


def read_by(root: Path) -> set[str]:
    """The variables that the package reads: every text that is asked of ``os.environ``, and those named FOURCC_."""
    found = set()
    for path in modules(root):
        text = path.read_text(encoding="utf-8")
        found |= set(OURS.findall(text))
        for node in nodes_of(path) if "environ" in text else ():
            asks = isinstance(node, (ast.Call, ast.Subscript, ast.Compare, ast.BinOp))
            if asks and "os.environ" in ast.unparse(node):
                texts = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
                found |= {each for each in texts if isinstance(each, str) and re.fullmatch(r"[A-Z][A-Z0-9_]+", each)}
    return found


def on_page(root: Path) -> set[str]:
    """The variables that the page has."""
    return set(re.findall(r"`\$?%?([A-Z][A-Z0-9_]+)%?`", (root / ENVIRONMENT).read_text(encoding="utf-8")))


def test_every_variable_is_on_the_page(root: Path) -> None:
    """It has those of the package, and those by which tests find what is no part of the repository."""
    read = read_by(root)
    assert {"FOURCC_CACHE", "NO_COLOR", "COLUMNS", "TERM", "NUMBA_BOUNDSCHECK", "FOURCC_THREADS"} <= read
    assert read - on_page(root) == set()
    named = {name for path in (root / "tests").rglob("*.py") for name in OURS.findall(path.read_text(encoding="utf-8"))}
    assert named - on_page(root) == set()


def test_the_page_has_no_others(root: Path) -> None:
    """Beside what Python's library and terminals read."""
    library = {"TMPDIR", "TEMP", "TMP", "FORCE_COLOR", "CLICOLOR_FORCE", "FOURCC_DATA"}
    texts = [path.read_text(encoding="utf-8") for folder in ("tests", "cli") for path in (root / folder).rglob("*.py")]
    for name in on_page(root) - read_by(root) - library:
        assert any(name in text for text in texts), name


def test_every_exit_code_is_on_the_page(root: Path) -> None:
    """It has those of errors, and those that commands end with."""
    rows = re.findall(r"^\| (\d+)", (root / CODES).read_text(encoding="utf-8"), re.MULTILINE)
    values = [value for value in vars(errors).values() if isinstance(value, type)]
    kinds = [value for value in values if issubclass(value, errors.FourccError)]
    codes = {each.exit_code for each in kinds} | {failures.USAGE, failures.IO, failures.INTERNAL, 0, 1, 130, 128 + 13}
    assert codes == {int(row) for row in rows} - {128}
