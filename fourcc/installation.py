"""How this fourcc came to be here: from a package, or as a checkout that may never have been installed.

The words that install what an extra names are the packages themselves, `pip install 'matplotlib>=3.9'`. They are right
for a checkout, a wheel and an index alike, and lead nobody to another package with the name of this one.
"""

from __future__ import annotations

import re
import shlex
from functools import cache
from pathlib import Path
from typing import Any

OWN = "fourcc"  # the distribution


@cache
def checkout() -> dict[str, Any]:
    """The table ``[project]`` of the pyproject.toml beside the package; empty where it is not in a checkout."""
    import tomllib

    file = Path(__file__).resolve().parents[1] / "pyproject.toml"
    if not file.is_file():
        return {}
    project: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8")).get("project", {})
    return project if project.get("name") == OWN else {}  # the package may lie in the folder of another project


def pages() -> Path:
    """The folder of the specification's pages: inside the package, or beside it in a checkout."""
    inside = Path(__file__).resolve().parent / "specs"
    return inside if inside.is_dir() else inside.parents[1] / "specs"


def requirements(extra: str) -> list[str]:
    """The packages that an extra names, such as ``["matplotlib>=3.9"]``."""
    declared = checkout()
    if declared:
        return list(declared["optional-dependencies"][extra])
    from importlib.metadata import PackageNotFoundError, requires

    try:
        lines = [line.partition(";") for line in requires(OWN) or ()]
    except PackageNotFoundError:  # the package was copied here without its metadata
        return []
    return [name.strip() for name, _, when in lines if re.search(rf"\bextra == ['\"]{extra}['\"]", when)]


def command(extra: str) -> str:
    """The command that installs what an extra names."""
    return f"pip install {' '.join(map(shlex.quote, requirements(extra)))}"


def hint(extra: str) -> str:
    """The end of a message that a package is missing."""
    return f"Install it beside fourcc: {command(extra)}"


def package_hint(name: str) -> str:
    """The end of a message that a package is missing which is in no extra."""
    return f"Install it beside fourcc: pip install {shlex.quote(name)}"
