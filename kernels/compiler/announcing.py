"""The listener that hears of compiling. It has a module of its own, so that a command can listen without a compiler."""

from collections.abc import Callable

listener: Callable[[str], None] | None = None  # called with a kernel's name before it is compiled, which takes a second
