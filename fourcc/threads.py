"""How many threads to use, and running work on them while the results come in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Generic, TypeVar

import attrs

from fourcc.errors import UsageError

T = TypeVar("T")


def thread_count(wanted: int | None = None) -> int:
    """The number given, or ``FOURCC_THREADS``, or the cores that this process may use.

    Raises:
        UsageError: not a number from 1 to 1024.
    """
    text = str(wanted) if wanted is not None else os.environ.get("FOURCC_THREADS", "")
    if not text:
        return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 1024:
        raise UsageError("bad number of threads", found=text, expected="1 to 1024")
    return int(text)


@attrs.frozen(eq=False)
class Task(Generic[T]):
    """Work to be done, and the number of weights that it holds in memory meanwhile."""

    run: Callable[[], T]
    weights: int = 0


def in_order(tasks: Iterable[Task[T]], threads: int, budget: int) -> Iterator[T]:
    """Runs tasks on threads and gives their results in the order of the tasks.

    Memory stays bounded: a task is begun only while the tasks under way, and the results that wait for their turn, hold
    no more than `budget` weights, or if there are none. The first error, in task order, is raised; tasks not yet begun
    are then dropped.
    """
    if threads == 1:
        for task in tasks:
            yield task.run()
        return
    waiting: deque[tuple[Future[T], int]] = deque()
    held = 0
    with ThreadPoolExecutor(threads, thread_name_prefix="fourcc") as pool:
        try:
            for task in tasks:
                while waiting and (held + task.weights > budget or len(waiting) > 4 * threads):
                    future, weights = waiting.popleft()
                    held -= weights
                    yield future.result()
                waiting.append((pool.submit(task.run), task.weights))
                held += task.weights
            while waiting:
                yield waiting.popleft()[0].result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class Once(Generic[T]):
    """A value that the first thread to ask for it makes, while the others wait.

    Args:
        make: makes it; what it raises is raised to all who ask.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._lock = Lock()
        self._made: list[T] = []
        self._error: BaseException | None = None

    def __call__(self) -> T:
        """The value, made at the first call."""
        with self._lock:
            if self._error is not None:
                raise self._error
            if not self._made:
                try:
                    self._made.append(self._make())
                except BaseException as error:
                    self._error = error
                    raise
            return self._made[0]
