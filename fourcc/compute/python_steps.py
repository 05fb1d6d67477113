"""A step of a program that runs Python: compiled code calls back into the interpreter, on the caller's thread."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable, Sequence
from functools import cached_property

ARGUMENTS = 5  # of a kernel


class PythonStep:
    """Work in Python with a kernel's signature. What it raises is kept until the program has run.

    Args:
        work: what to do.

    Attributes:
        error: what the work raised.
        begun: whether it was begun since the last program's end.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self.error: BaseException | None = None
        self.begun = False

    def __call__(self, *_: int) -> None:
        """Does the work; a kernel's arguments say nothing to it."""
        try:
            self.begun = True
            self._work()
        except BaseException as error:  # noqa: BLE001 - compiled code would lose it
            self.error = self.error or error

    @cached_property
    def _callback(self) -> Callable[..., None]:
        step = weakref.ref(self)  # a step that held what holds it would keep a matrix until garbage is collected

        def call(*arguments: int) -> None:
            me = step()
            if me is not None:
                me(*arguments)

        return ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * ARGUMENTS)(call)

    @property
    def address(self) -> int:
        """The address at which compiled code calls it; valid as long as the step lives."""
        address = ctypes.cast(self._callback, ctypes.c_void_p).value  # type: ignore[arg-type]  # is one of ctypes'
        assert address is not None
        return address


def raise_first(steps: Sequence[PythonStep]) -> None:
    """Raises what the first step has kept, if any did, and forgets the rest.

    Raises:
        KeyboardInterrupt: a step was called and did not begin. A signal's handler raised on the way into Python, where
            nothing can be kept and ctypes drops it; without this its work would be missing, and nobody would know.
    """
    errors = [step.error for step in steps if step.error is not None]
    lost = [step for step in steps if not step.begun]
    for step in steps:
        step.error, step.begun = None, False
    if errors:
        raise errors[0]
    if lost:
        raise KeyboardInterrupt
