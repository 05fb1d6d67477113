"""The compiled kernels on disk, and the announcement of each one that is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def cache_folder() -> Path:
    """The folder of compiled kernels."""
    from fourcc.kernels.compiler import object_cache

    return object_cache.folder()


def cache_entries() -> list[Path]:
    """The files of compiled kernels."""
    from fourcc.kernels.compiler import object_cache

    return object_cache.entries()


def cache_is_trusted() -> bool:
    """Whether compiled kernels are loaded: the folder must be the user's own, and nobody else may write to it."""
    from fourcc.kernels.compiler import object_cache

    return object_cache.is_trusted()


def announce_compiling(report: Callable[[str], None] | None) -> None:
    """Sets a function to call with each kernel's name before it is compiled, which takes a second or so."""
    from fourcc.kernels.compiler import jit

    jit.announce = report
