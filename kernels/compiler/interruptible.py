"""Long work in C that an interrupt need not wait for.

Python runs a signal's handler when the main thread comes back from C, and LLVM stays there for seconds. So the work is
done on another thread, while the main thread waits in a way that a signal ends.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Thread, current_thread, main_thread, stack_size
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future

T = TypeVar("T")

STACK = 1 << 24  # bytes; LLVM recurses, and a thread's usual stack may be small
PATIENCE = 0.1  # seconds before the main thread looks for a signal that another thread was given
_left: list[Thread] = []  # threads whose result nobody waits for any more


def interruptible(work: Callable[[], T]) -> T:
    """The result of `work`, or what it raises.

    An interrupt leaves the work running; what it gives is lost. Elsewhere than on the main thread it is just called.
    """
    if current_thread() is not main_thread():
        return work()
    from concurrent.futures import Future, wait

    future: Future[T] = Future()
    thread = Thread(target=_done, args=(work, future), name="fourcc compiles")
    before = stack_size(STACK)
    try:
        thread.start()
    finally:
        stack_size(before)
    try:
        while wait([future], PATIENCE).not_done:
            pass
    except BaseException:
        _left.append(thread)
        raise
    return future.result()


def left_running() -> bool:
    """Whether interrupted work still runs: the process would wait for it at its end."""
    return any(thread.is_alive() for thread in _left)


def _done(work: Callable[[], T], future: Future[T]) -> None:
    try:
        future.set_result(work())
    except BaseException as error:  # noqa: BLE001 - it is raised where the result is awaited
        future.set_exception(error)
