"""The note of a command whose products decode a matrix first, since a format's block decoder cannot be traced."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from fourcc.cli.render import terminal
from fourcc.errors import SlowProductsWarning


@contextmanager
def noted(*, quiet: bool) -> Iterator[None]:
    """Shows such warnings as notes on stderr while it lasts; all others as Python does."""
    with warnings.catch_warnings():
        before = warnings.showwarning

        def show(
            message: Warning | str,
            category: type[Warning],
            filename: str,
            lineno: int,
            file: TextIO | None = None,
            line: str | None = None,
        ) -> None:
            if issubclass(category, SlowProductsWarning):
                terminal.notes([str(message)], quiet=quiet)
            else:
                before(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        warnings.simplefilter("always", SlowProductsWarning)
        yield
