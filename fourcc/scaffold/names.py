"""The names of a new plugin: distribution, module and format. Names that are invalid or taken are refused."""

from __future__ import annotations

import contextlib
import importlib.util
import keyword
import re
import sys
from pathlib import Path

import attrs

from fourcc.errors import PluginError, UsageError
from fourcc.plugins.entries import OWN, normalized
from fourcc.plugins.registry import registry
from fourcc.tags import FourCC, as_tag

DISTRIBUTION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
LONGEST = 80  # characters of a distribution's name


@attrs.frozen
class Names:
    """The names that a plugin's files use.

    Attributes:
        distribution: the name by which pip installs it.
        module: the package to import.
        tag: of the format.
        stem: of the format's files: the tag in lower case.
        constant: the format's name in its module: the tag in capitals.
    """

    distribution: str
    module: str
    tag: str
    stem: str
    constant: str


def checked_names(name: str, tag: str, folder: Path) -> Names:
    """The names of a new plugin.

    Args:
        name: of the distribution.
        tag: of the format.
        folder: the output folder; a module that is installed from there counts as free.

    Raises:
        UsageError: a name is not valid, or taken.
    """
    module = re.sub(r"[-_.]+", "_", name).lower()
    _check_distribution(name, module)
    _check_module(module, folder)
    code = _checked_tag(tag, name)
    stem = str(code).lower()
    safe = f"{stem}_" if keyword.iskeyword(stem) else stem
    return Names(name, module, str(code), safe, str(code).upper())


def _check_distribution(name: str, module: str) -> None:
    if not DISTRIBUTION.fullmatch(name) or len(name) > LONGEST:
        raise UsageError(
            f"{name!r} is no name for a distribution",
            hint="Letters, digits, '-', '_' and '.', the first and the last a letter or digit: fourcc-tern.",
        )
    if not module.isidentifier() or keyword.iskeyword(module):
        raise UsageError(f"{name!r} makes no module: {module!r} is no identifier", hint=f"Call it fourcc-{name}.")


def _check_module(module: str, folder: Path) -> None:
    """Raise UsageError where the module's name belongs to another installed module."""
    if module in sys.stdlib_module_names or module == OWN:
        raise UsageError(f"a module {module!r} exists already", hint=f"Call the package fourcc-{module}.")
    spec = None
    with contextlib.suppress(ImportError, ValueError):
        spec = importlib.util.find_spec(module)
    origin = None if spec is None else spec.origin or next(iter(spec.submodule_search_locations or ()), None)
    if origin is not None and folder.resolve() not in Path(origin).resolve().parents:
        raise UsageError(f"a module {module!r} is installed already", found=origin, hint="Take another name.")


def _checked_tag(text: str, name: str) -> FourCC:
    try:
        tag = as_tag(text)
    except ValueError as error:
        raise UsageError(str(error), hint="Examples: Tern, q3_x.") from error
    if tag.reserved:
        hint = f"Give it a lower-case letter: {text.capitalize() if text.capitalize() != text else text.lower()}."
        raise UsageError(f"the tag {tag} has no lower-case letter: such tags are fourcc's own", hint=hint)
    if tag in registry:
        owner = _owner(tag)
        if owner != normalized(name):
            raise UsageError(f"the tag {tag} is taken by {owner}", hint="`fourcc formats` lists those that are.")
    return tag


def _owner(tag: FourCC) -> str:
    try:
        return registry.entry(tag).distribution
    except PluginError as error:  # two of them
        return error.what
