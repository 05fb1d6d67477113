"""Packages that read a tokenizer and need not be installed; and what becomes of their errors."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
        if not isinstance(error, Exception) and not _is_panic(error):
            raise
        raise InputError(what, file=file, found=f"{type(error).__name__}: {error!s:.200}") from error


def _is_panic(error: BaseException) -> bool:
    return type(error).__name__ == "PanicException"


_STDERR, _REDIRECTING = 2, threading.Lock()


@contextmanager
def without_panic() -> Iterator[None]:
    """Keeps back what is written to standard error, and drops it where a Rust package panics: the error tells it all.

    Rust writes its report straight to the descriptor, which is the whole process's. So this stands only around the
    opening of a file; what others write meanwhile comes behind it.
    """
    with _REDIRECTING:
        spool = _redirected()
        panicked = False
        try:
            yield
        except BaseException as error:
            panicked = _is_panic(error)
            raise
        finally:
            if spool is not None:
                _put_back(*spool, tell=not panicked)


def _redirected() -> tuple[int, int] | None:
    """Standard error goes to a temporary file: that, and what it was. None: it is closed, or no file can be made."""
    try:
        with tempfile.TemporaryFile() as file:
            kept = os.dup(_STDERR)
            spool = os.dup(file.fileno())
    except OSError:
        return None
    os.dup2(spool, _STDERR)
    return spool, kept


def _put_back(spool: int, kept: int, *, tell: bool) -> None:
    """Standard error is what it was; what was written meanwhile is told, or dropped."""
    os.dup2(kept, _STDERR)
    os.close(kept)
    if tell:
        _copy(spool)
    os.close(spool)


def _copy(spool: int) -> None:
    """What was kept back goes to standard error, as far as that takes it."""
    os.lseek(spool, 0, os.SEEK_SET)
    with suppress(OSError):
        while part := os.read(spool, 1 << 16):
            os.write(_STDERR, part)
