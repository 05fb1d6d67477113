"""The recipe for conda-forge, made of pyproject.toml, so that no version stands twice."""

from __future__ import annotations

import re
from pathlib import Path
from string import Template

from tests.release import facts

TEMPLATE = Path(__file__).with_name("recipe.yaml.txt")
CONDA = {"msgpack": "msgpack-python", "xxhash": "python-xxhash"}  # names that differ from the index of Python packages


def recipe(root: Path, source: str, digest: str) -> str:
    """The recipe.

    Args:
        root: the tree.
        source: address of the sdist.
        digest: its SHA-256.
    """
    project = facts.project(root)
    words = {
        "version": facts.versions(root)["fourcc/__init__.py"],
        "summary": project["description"],
        "python_min": project["requires-python"].removeprefix(">="),
        "source": source,
        "digest": digest,
        "address": project.get("urls", {}).get("Homepage", ""),
        "requirements": "\n".join(f"    - {_on_conda(each)}" for each in project["dependencies"]),
    }
    return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(words)


def _on_conda(requirement: str) -> str:
    """A requirement by conda's name.

    >>> _on_conda("xxhash>=3.5"), _on_conda("llvmlite")
    ('python-xxhash >=3.5', 'llvmlite')
    """
    match = re.fullmatch(r"([\w.-]+)(.*)", requirement)
    assert match is not None
    return f"{CONDA.get(match[1], match[1])} {match[2]}".strip()
