"""The built-in formats: one file a tag, pure numpy, written to be read.

A file holds one `fourcc.format.Format`. A line in ``pyproject.toml`` names it under the entry-point group
``fourcc.formats``, as in a third party's package. Its page is ``specs/<stem>.md``; ``specs/vectors/`` pins its bytes.

An installed format is also an attribute by its tag, a plugin's included: ``fourcc.formats.Q4_0`` is
``fourcc.registry["Q4_0"]``. It is imported when it is first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if __name__ != "fourcc.formats":
    raise ImportError(f"imported as {__name__!r}: this folder is the package fourcc.formats")

if TYPE_CHECKING:
    from fourcc.format import Format


def __getattr__(name: str) -> Format:
    """The format of a tag. Raises PluginError where it is broken."""
    from importlib.util import find_spec

    from fourcc.plugins.registry import registry

    # `from fourcc.formats import q4_0` asks here first: a file of this package is never hidden by a plugin's tag.
    if name.startswith("__") or name not in registry or find_spec(f"{__name__}.{name}"):
        raise AttributeError(f"no format of the tag {name!r} is installed")
    return registry[name]


def __dir__() -> list[str]:
    """The tags of all installed formats; none is imported."""
    from fourcc.plugins.registry import registry

    return [*globals(), *map(str, registry)]
