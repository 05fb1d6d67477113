"""Who hears that a kernel is compiled; a module of its own, so that a command may listen without loading a compiler."""

from collections.abc import Callable

listener: Callable[[str], None] | None = None  # called with a kernel's name before it is compiled, which takes a second
