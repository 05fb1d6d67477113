"""The compiled kernels on disk: where they are and whether they are used."""

from __future__ import annotations

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


def current_entries() -> list[Path]:
    """The kernels that this version of fourcc may use, with its compilers and on this processor."""
    from fourcc.kernels.compiler import object_cache

    return list(filter(object_cache.is_current, object_cache.entries()))


def cache_leftovers() -> list[Path]:
    """Half-written files, left by processes that are at work or that were killed."""
    from fourcc.kernels.compiler import object_cache

    return object_cache.leftovers()


def why_not_kept() -> str | None:
    """The reason why compiled kernels are not kept, in words; None if they are kept."""
    from fourcc.kernels.compiler import object_cache

    return object_cache.why_not_kept()
