"""Optional packages that read tokenizers, and the translation of their errors."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from typing import Any

from fourcc import installation
from fourcc.errors import FourccError, InputError, UsageError


def package(name: str, file: object) -> Any:  # noqa: ANN401 - a module
    """A package of the extra ``tokenizers``.

    Raises:
        UsageError: the package is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        hint = installation.hint("tokenizers")
        raise UsageError(f"the package {name!r} is needed to read it", file=file, hint=hint) from error


@contextmanager
def translated(what: str, file: object) -> Iterator[None]:
    """Turns every error of a package into an error of ours; a Rust panic is no `Exception`.

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
    """Holds back standard error, and drops it where a Rust package panics: the error tells everything.

    Rust writes its report straight to the descriptor, which belongs to the whole process. So this guards only the
    opening of a file; other threads' output meanwhile comes after it.
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
    """Sends standard error to a temporary file: descriptors of the file and of the old standard error.

    None where standard error is closed, or no file can be made.
    """
    try:
        with tempfile.TemporaryFile() as file:
            kept = os.dup(_STDERR)
            spool = os.dup(file.fileno())
    except OSError:
        return None
    os.dup2(spool, _STDERR)
    return spool, kept


def _put_back(spool: int, kept: int, *, tell: bool) -> None:
    """Restores standard error; the text written meanwhile is copied to it, or dropped."""
    os.dup2(kept, _STDERR)
    os.close(kept)
    if tell:
        _copy(spool)
    os.close(spool)


def _copy(spool: int) -> None:
    """Copies the held-back text to standard error, as far as that accepts it."""
    os.lseek(spool, 0, os.SEEK_SET)
    with suppress(OSError):
        while part := os.read(spool, 1 << 16):
            os.write(_STDERR, part)
