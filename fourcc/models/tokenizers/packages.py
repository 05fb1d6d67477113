"""Packages that read a tokenizer and need not be installed; and what becomes of their errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from fourcc.errors import FourccError, InputError, UsageError


def package(name: str, file: object) -> Any:  # noqa: ANN401 - a module
    """A package of the extra ``tokenizers``.

    Raises:
        UsageError: it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        hint = "Install it: pip install 'fourcc[tokenizers]'"
        raise UsageError(f"the package {name!r} is needed to read it", file=file, hint=hint) from error


@contextmanager
def translated(what: str, file: object) -> Iterator[None]:
    """Turns whatever a package raises into an error of ours; a Rust panic is no `Exception`.

    Raises:
        InputError: with the package's own words.
    """
    try:
        yield
    except FourccError:
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise InputError(what, file=file, found=f"{type(error).__name__}: {error!s:.200}") from error
