"""Policies that the package ships: the files of `recipes/`, whose first lines describe them."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

import attrs

from fourcc.errors import UsageError
from fourcc.plugins.registry import registry
from fourcc.policy.places import nearest

RECIPE = "recipe "  # before the name of one in messages
SUFFIX = ".toml"
_USUAL = "_m"  # a mix without a size means the middle one of several sizes


@attrs.frozen
class Recipe:
    """A recipe.

    Attributes:
        name: the name that ``--recipe`` takes; case does not count.
        summary: one line.
    """

    name: str
    summary: str


def recipes() -> list[Recipe]:
    """All recipes, sorted by name."""
    return [Recipe(name, _summary(name, file.read_text(encoding="utf-8"))) for name, file in sorted(_files().items())]


def recipe_names() -> list[str]:
    """Names of all recipes, sorted."""
    return sorted(_files())


def read_recipe(name: str) -> tuple[str, str]:
    """A recipe's text, and its name in messages.

    Raises:
        UsageError: there is no recipe of that name; the message offers the nearest ones.
    """
    known, recipe = _files(), recipe_named(name)
    if recipe is None:
        hint = _format_hint(name) or nearest(name, known, 3) or "`fourcc policy recipes` lists them."
        raise UsageError(f"there is no recipe {name!r}", hint=f"{hint[:1].upper()}{hint[1:]}")
    return known[recipe].read_text(encoding="utf-8"), f"{RECIPE}{recipe}"


def recipe_named(name: str) -> str | None:
    """The recipe that a name means, whatever its case: ``q4_k`` is ``Q4_K_M``. None where there is none."""
    by_case = {each.lower(): each for each in _files()}
    return by_case.get(name.lower()) or by_case.get(name.lower() + _USUAL)


def _format_hint(name: str) -> str | None:
    """The hint that a name is a format's, not a recipe's."""
    tag = next((each for each in map(str, registry) if each.lower() == name.lower()), None)
    return None if tag is None else f"{tag} is a format, not a mix of several: --format {tag}"


def _files() -> dict[str, Traversable]:
    folder = files("fourcc.policy").joinpath("recipes")
    return {file.name.removesuffix(SUFFIX): file for file in folder.iterdir() if file.name.endswith(SUFFIX)}


def _summary(name: str, text: str) -> str:
    return text.splitlines()[0].removeprefix("#").strip().removeprefix(f"{name}:").strip()
