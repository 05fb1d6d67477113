"""Pages of the Python API: every public name of `fourcc`, by what it is for; mkdocstrings fills them in."""

from __future__ import annotations

import ast
from pathlib import Path

FOLDER = "reference/python"
SHORT = "::: {}\n    options:\n      merge_init_into_class: false"  # of kinds that are made alike

# The longest beginning of a name's home decides its page.
PAGES: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    (
        "convert",
        "Convert and export",
        "From a checkpoint to a file, and from a file to other tools' layouts.",
        (
            "conversion",
            "quantizing",
            "exporters",
            "forecasting",
            "policy",
            "feedback",
            "calibration.to_budget",
            "example",
        ),
    ),
    (
        "models",
        "Open, multiply, run",
        "What is in a file, and what a model says.",
        ("container", "models", "qmatrix", "encoding"),
    ),
    (
        "measure",
        "Measure",
        "What weights are like, what a format loses, and which mix loses least.",
        ("analysis", "calibration", "bench", "models.evaluation", "models.scoring", "reporting", "records"),
    ),
    (
        "formats",
        "Write a format",
        "A format is one value: its parts and its functions. [The guide](../../writing-a-format.md) makes one.",
        ("format", "formats", "part", "geometry", "grid", "settings", "arrays", "tags", "spec", "plugins"),
    ),
    (
        "files",
        "Kinds of files",
        "What plugins declare that read or write files of other kinds.",
        ("sources", "exporters.layout", "conversion.pipeline"),
    ),
    ("errors", "Errors", "Every failure is one of these kinds.", ("errors",)),
)


def homes(root: Path) -> dict[str, str]:
    """Public name -> the dotted name of its home, as `fourcc/__init__.py` imports it for type checkers."""
    tree = ast.parse((root / "fourcc" / "__init__.py").read_text(encoding="utf-8"))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module != "typing"]
    return {
        alias.asname: f"{node.module}.{alias.name}"
        for node in imports
        for alias in node.names
        if alias.asname is not None
    }


def by_page(root: Path) -> dict[str, list[str]]:
    """Page -> its public names.

    Raises:
        ValueError: a name has no page.
    """
    import fourcc

    where = homes(root)
    found: dict[str, list[str]] = {page: [] for page, *_ in PAGES}
    for name in fourcc.__all__:
        found[_page(name, where[name])].append(name)
    return found


def _page(name: str, home: str) -> str:
    inside = home.removeprefix("fourcc.")
    fits = [
        (len(start), page)
        for page, _, _, starts in PAGES
        for start in starts
        if inside == start or inside.startswith(f"{start}.")
    ]
    if not fits:
        raise ValueError(f"fourcc.{name} ({home}) has no page: give its home one in specs/site/python_names.py")
    return max(fits)[1]


def pages(root: Path) -> dict[str, str]:
    """Address -> page."""
    names = by_page(root)
    found = {f"{FOLDER}/index.md": _index(names)}
    for page, title, text, _ in PAGES:
        shown = [f"::: fourcc.{name}" for name in _sorted(names[page])]
        shown += [SHORT.format(name) for name in kinds_of_errors()] if page == "errors" else []
        directives = "\n\n".join(shown)
        found[f"{FOLDER}/{page}.md"] = f"# {title}\n\n{text}\n\n{directives}\n"
    return found


def kinds_of_errors() -> list[str]:
    """The dotted names of the kinds of FourccError, in the order of their module."""
    from fourcc import errors

    kinds = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, errors.FourccError)]
    return [f"{errors.__name__}.{each.__name__}" for each in kinds if each is not errors.FourccError]


def _index(names: dict[str, list[str]]) -> str:
    lines = ["# Python", "", "```python", "import fourcc", "```", ""]
    lines += ["Every name below is imported when it is first used: `import fourcc` loads neither numpy nor numba.", ""]
    for page, title, text, _ in PAGES:
        links = ", ".join(f"[`{name}`]({page}.md#fourcc.{name})" for name in _sorted(names[page]))
        lines += [f"## {title}", "", text, "", links, ""]
    return "\n".join(lines)


def _sorted(names: list[str]) -> list[str]:
    """Functions first, then classes and types."""
    return sorted(names, key=lambda name: (name[0].isupper(), name.lower()))
