"""How many threads to use, and running work on them while the results come in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

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


def in_order(tasks: Iterable[Callable[[], T]], threads: int) -> Iterator[T]:
    """Runs tasks on threads and gives their results in the order of the tasks.

    At most two tasks a thread are begun before their turn comes, so memory stays bounded. The first error, in task
    order, is raised; tasks not yet begun are then dropped.
    """
    if threads == 1:
        for task in tasks:
            yield task()
        return
    waiting: deque[Future[T]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="fourcc") as pool:
        try:
            for task in tasks:
                waiting.append(pool.submit(task))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
