"""Loading an entry's format: what the object must be, and what its import may not do."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fourcc.format import Format
    from fourcc.plugins.entries import Entry


def checked(loaded: object, entry: Entry) -> Format:
    """The loaded object, if it is a format that keeps the contract.

    Raises:
        TypeError: it is something else.
        ValueError: its declaration contradicts itself, or its entry point, or is for another version of the seam.
    """
    from fourcc.format import Format  # loads numpy, which listing the tags must not

    if not isinstance(loaded, Format):
        raise TypeError(f"{entry.target} is a {type(loaded).__name__}, expected a fourcc.Format")
    spec = loaded
    if str(spec.tag) != entry.name:
        raise ValueError(f"its tag is {spec.tag}, its entry point is named {entry.name}")
    spec.check()
    return loaded


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Keeps the prints of a plugin's import out of stdout, which is for data; restores the working directory."""
    try:
        home = os.getcwd()  # noqa: PTH109 - a text that chdir takes back
    except OSError:  # the directory is gone: then nobody can leave it
        home = None
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        if home is not None:
            os.chdir(home)
