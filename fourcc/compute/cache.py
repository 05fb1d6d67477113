"""The compiled kernels on disk: where they are, whether they are used, and who hears of it when one is compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def cache_folder() -> Path:
    """Where compiled kernels are kept."""
    from fourcc.kernels.compiler import object_cache

    return object_cache.folder()


def cache_entries() -> list[Path]:
    """The kernels there."""
    from fourcc.kernels.compiler import object_cache

    return object_cache.entries()


def current_entries() -> list[Path]:
    """Those of them that this version of fourcc, with its compilers on this processor, may use."""
    from fourcc.kernels.compiler import object_cache

    return list(filter(object_cache.is_current, object_cache.entries()))


def cache_leftovers() -> list[Path]:
    """Files there that are no kernels: half-written, of processes that are at work or that were killed."""
    from fourcc.kernels.compiler import object_cache

    return object_cache.leftovers()


def why_not_kept() -> str | None:
    """Why kernels that are compiled now are not kept, in words; None where they are."""
    from fourcc.kernels.compiler import object_cache

    return object_cache.why_not_kept()


def announce_compiling(report: Callable[[str], None] | None) -> None:
    """Has a function called with each kernel's name before it is compiled, which takes a second or so."""
    from fourcc.kernels.compiler import announcing

    announcing.listener = report
