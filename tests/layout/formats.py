"""Prints how much code the built-in formats are, and how many names of the seam some of them need.

    python -m tests.layout.formats [folder of another checkout]

Code is neither blank, nor comment, nor docstring. A name of the seam is one that a format's file imports from fourcc
itself, but for the formats' own folder, or a keyword with which it declares the format or a part.
"""

import ast
import sys
from pathlib import Path

from tests.layout.source import code_lines, nodes_of

ROOT = Path(__file__).resolve().parents[2]
STEMS = ("q4_0", "q8_a", "q4_a", "nf4", "q4_k")
DECLARING = {"Format", "FormatSpec", "Part", "packed", "per_block", "record"}


def names_of_seam(path: Path) -> set[str]:
    """The names of the seam that a format's file needs."""
    found = set()
    for node in nodes_of(path):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "fourcc":
            if (node.module or "").split(".")[1:2] != ["formats"] or "row_blocks" in (node.module or ""):
                found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in DECLARING:
            found |= {f"{keyword.arg}=" for keyword in node.keywords}
    return found


def table(root: Path) -> str:
    """One line a format, and the sum over all files of the folder."""
    folder = root / "formats"
    lines = [f"{'':8} {'code':>6} {'names':>6}"]
    for stem in STEMS:
        path = folder / f"{stem}.py"
        lines.append(f"{stem.upper():8} {code_lines(path):6} {len(names_of_seam(path)):6}")
    paths = sorted(folder.rglob("*.py"))
    whole = sum(path.read_text(encoding="utf-8").count("\n") for path in paths)
    lines.append(f"{'all':8} {sum(map(code_lines, paths)):6}        {whole} lines in {len(paths)} files")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(table(Path(sys.argv[1]) if sys.argv[1:] else ROOT) + "\n")
