"""Calls of a plugin's functions: whatever one raises becomes an error that names the function and its package."""

from __future__ import annotations

import contextlib
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from fourcc.errors import FourccError, PluginError, memory_is_short
from fourcc.plugins.loading import guarded

if TYPE_CHECKING:
    from collections.abc import Callable

P = ParamSpec("P")
R = TypeVar("R")


def behind_firewall(function: Callable[P, R], whose: str, *, alone: bool = True) -> Callable[P, R]:
    """A plugin's function, such that it raises a FourccError, OSError or MemoryError, if anything.

    Args:
        function: the function.
        whose: its name, its plugin and its package: ``open of the source odd (fourcc-odd 1.0)``.
        alone: whether one thread at a time calls it; then its output is kept out of stdout, and the working directory
            restored.
    """

    @wraps(function)
    def call(*arguments: P.args, **named: P.kwargs) -> R:
        try:
            with guarded() if alone else contextlib.nullcontext():
                return function(*arguments, **named)
        except (FourccError, OSError, MemoryError, KeyboardInterrupt):
            raise
        except BaseException as error:  # SystemExit, too
            if memory_is_short(error):
                raise MemoryError from error
            raise breach(whose, f"{type(error).__name__}: {error}") from error

    return call


def breach(whose: str, found: object, expected: object = None) -> PluginError:
    """The error for a function that does not keep its contract.

    Args:
        whose: as `behind_firewall` has it.
        found: what it returned or raised.
        expected: what it should have returned.
    """
    return PluginError(f"{whose} does not keep its contract", found=found, expected=expected)
