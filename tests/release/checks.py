"""Why a tree is not ready to be released."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from tests.release import facts


def complaints(root: Path) -> list[str]:
    """All of them, in sentences; none: it is ready."""
    return [*_git(root), *_versions(root), *_addresses(root), *_classifiers(root)]


def _git(root: Path) -> Iterator[str]:
    changed = git(root, "status", "--porcelain").splitlines()
    if changed:
        yield f"the tree is not clean: {', '.join(line[3:] for line in changed[:4])}"
    version = facts.versions(root)["fourcc/__init__.py"]
    if git(root, "tag", "--list", f"v{version}"):
        yield f"the tag v{version} exists already: that version was released"


def _versions(root: Path) -> Iterator[str]:
    stated = facts.versions(root)
    if len(set(stated.values())) > 1:
        yield f"the versions differ: {', '.join(f'{name} {version}' for name, version in stated.items())}"
    if facts.unreleased(root):
        yield "CHANGELOG.md has entries under Unreleased: `prepare` makes them the version's"


def _addresses(root: Path) -> Iterator[str]:
    table = facts.project(root).get("urls", {})
    missing = [name for name in facts.URLS if not str(table.get(name, "")).startswith("https://")]
    if missing:
        yield f"[project.urls] has no {', '.join(missing)}: `prepare --address` enters them"


def _classifiers(root: Path) -> Iterator[str]:
    if find_spec("trove_classifiers") is None:
        yield "the package trove-classifiers is missing: it is in the extra `release`"
        return
    from trove_classifiers import classifiers

    for each in facts.project(root)["classifiers"]:
        if each not in classifiers:
            yield f"no index knows the classifier {each!r}"


def git(root: Path, *words: str) -> str:
    """The output of a git command."""
    return subprocess.run(["git", *words], cwd=root, capture_output=True, text=True, check=True).stdout.rstrip()
