"""Policies that the package ships: files of `recipes/`, each with a line at its top that says what it is."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

import attrs

from fourcc.errors import UsageError

SUFFIX = ".toml"
_USUAL = "_m"  # of mixes in several sizes, the middle one is meant where no size is named


@attrs.frozen
class Recipe:
    """A recipe.

    Attributes:
        name: as ``--recipe`` takes it; case does not count.
        summary: one line.
    """

    name: str
    summary: str


def recipes() -> list[Recipe]:
    """All of them, by name."""
    return [Recipe(name, _summary(name, file.read_text())) for name, file in sorted(_files().items())]


def read_recipe(name: str) -> tuple[str, str]:
    """A recipe's text, and what a message calls it.

    Raises:
        UsageError: there is none of that name; the nearest one is offered.
    """
    from fourcc.policy.places import nearest

    known = _files()
    by_case = {each.lower(): each for each in known}
    found = by_case.get(name.lower()) or by_case.get(name.lower() + _USUAL)
    if found is None:
        hint = nearest(name, known, 3) or "`fourcc policy recipes` lists them."
        raise UsageError(f"there is no recipe {name!r}", hint=f"{hint[:1].upper()}{hint[1:]}")
    return known[found].read_text(), f"recipe {found}"


def _files() -> dict[str, Traversable]:
    folder = files("fourcc.policy").joinpath("recipes")
    return {file.name.removesuffix(SUFFIX): file for file in folder.iterdir() if file.name.endswith(SUFFIX)}


def _summary(name: str, text: str) -> str:
    return text.splitlines()[0].removeprefix("#").strip().removeprefix(f"{name}:").strip()
