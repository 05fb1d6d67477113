"""The number of threads, and work that runs on them while its results come in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Event, Lock, local
from typing import Generic, TypeVar

import attrs

from fourcc.errors import UsageError

T = TypeVar("T")
_WORK = local()


def thread_count(wanted: int | None = None) -> int:
    """The wanted number, else ``FOURCC_THREADS``, else the number of cores that this process may use.

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
    """A piece of work, and what it holds in memory.

    Attributes:
        run: does it.
        weights: how many it holds while it runs, and while its result waits for its turn.
        nbytes: likewise, all that it holds.
        room: bytes that it and the tasks before it, which run or whose results wait, may hold together; 0: it runs once
            all results before it are taken; None: any number.
    """

    run: Callable[[], T]
    weights: int = 0
    nbytes: int = 0
    room: int | None = None


def in_order(tasks: Iterable[Task[T]], threads: int, budget: int) -> Iterator[T]:
    """Runs tasks on threads and yields their results in the order of the tasks.

    Memory stays bounded: the running tasks and the results that wait for their turn hold at most `budget` weights
    together, and the bytes of the last one's `room`; a task that holds more runs alone. The first error, in task order,
    is raised; tasks that have not started are then dropped.
    """
    if threads == 1:
        for task in tasks:
            yield task.run()
        return
    waiting: deque[tuple[Future[T], Task[T]]] = deque()
    over = Event()
    with ThreadPoolExecutor(threads, "fourcc", partial(setattr, _WORK, "over", over)) as pool:
        try:
            for task in tasks:
                while waiting and (len(waiting) > 4 * threads or _crowded([each for _, each in waiting], task, budget)):
                    yield waiting.popleft()[0].result()
                waiting.append((pool.submit(task.run), task))
            while waiting:
                yield waiting.popleft()[0].result()
        finally:
            over.set()
            pool.shutdown(wait=True, cancel_futures=True)


def abandoned() -> bool:
    """Whether nobody waits any more for the task that this thread runs, so that one that takes long may give up."""
    over = getattr(_WORK, "over", None)
    return over is not None and over.is_set()


def _crowded(before: list[Task[T]], task: Task[T], budget: int) -> bool:
    """Whether a task would hold too much together with those before it."""
    if sum(each.weights for each in before) + task.weights > budget:
        return True
    return task.room is not None and sum(each.nbytes for each in before) + task.nbytes > task.room


class Once(Generic[T]):
    """A value that is computed by the first thread that asks for it, while the others wait.

    Args:
        make: computes the value; an error that it raises is raised in every thread that asks.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make: Callable[[], T] | None = make
        self._lock = Lock()
        self._values: list[T] = []
        self._error: BaseException | None = None

    def __call__(self) -> T:
        """The value, computed at the first call."""
        with self._lock:
            if self._error is not None:
                raise self._error
            if self._make is not None:
                try:
                    self._values.append(self._make())
                except BaseException as error:
                    self._error = error
                    raise
                finally:
                    self._make = None  # lets go of what it was made from
            return self._values[0]
