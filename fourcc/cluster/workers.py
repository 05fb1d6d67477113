"""Handing out tasks: workers are checked before they work, what they raise names them, lost tasks run again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, wait
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Lock
from typing import Any, Generic, Self, TypeVar

import attrs

from fourcc.cluster.conditions import NO_TASK, SAME, SHARED, Conditions, process_name, worker_name
from fourcc.errors import ClusterError, FourccError
from fourcc.files.write import errors_named

K = TypeVar("K")
T = TypeVar("T")
WINDOW = 1000  # tasks that are handed out and not done; more would only fill the scheduler's memory
GO_ON = "Start workers again."
LOOK_SECONDS = 2.0  # after which it is asked whether there are workers
ALONE_SECONDS = 60.0  # without any worker, before the work is given up

_checked: set[str] = set()  # keys of the conditions that hold in this process
_checking = Lock()


@attrs.frozen
class Answer(Generic[T]):
    """The answer of a worker.

    Attributes:
        value: the task's result.
        worker: its name, for messages.
        process: likewise, as `process_name` gives it.
    """

    value: T
    worker: str
    process: str


@attrs.frozen(eq=False)
class Job(Generic[K]):
    """A piece of work for a worker.

    Attributes:
        key: names it to whoever collects the results.
        function: of a module, since it is pickled by its name.
        arguments: likewise pickled.
        tensor: that it works on, for messages.
    """

    key: K
    function: Callable[..., Any]
    arguments: tuple[object, ...] = ()
    tensor: str | None = None


class Workers:
    """The workers of an executor; a context manager, which removes the files by which workers are checked.

    Args:
        executor: any `concurrent.futures.Executor`; `fourcc.cluster.connection.connected` gives one.
        conditions: checked in each process before its first task.
    """

    def __init__(self, executor: Executor, conditions: Conditions) -> None:
        self._executor, self._conditions = executor, conditions
        self._known: set[str] = set()  # processes that are seen to write into the folder
        self._window = WINDOW

    def __enter__(self) -> Self:
        marker = self._conditions.marker
        if marker is not None:
            with errors_named(Path(marker.path).parent, "begin"):
                Path(marker.path).write_text(marker.text, encoding="ascii")
        try:
            self._check_all()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._conditions.marker is not None:
            self._conditions.marker.remove()

    @property
    def slots(self) -> int:
        """Tasks that run at once, as far as the executor tells; 1 where it does not."""
        client = getattr(self._executor, "client", getattr(self._executor, "_client", None))  # dask's: ours, a user's
        if client is not None:
            return max(1, sum(map(int, client.nthreads().values())))
        return int(getattr(self._executor, "_max_workers", 1))

    def _check_all(self) -> None:
        """Checks the workers that are there, if the executor reaches them; others are at their first task."""
        everywhere = getattr(self._executor, "everywhere", None)
        if everywhere is not None:
            for answer in everywhere(checked_call, self._conditions, None, _nothing, ()):
                self._receive(answer)

    def results(self, jobs: Iterable[Job[K]]) -> Iterator[tuple[K, Any]]:
        """The keys and results of jobs, in the order in which they are done; some are handed out ahead.

        Whoever stops asking has the other jobs cancelled, and those that run waited for.

        Raises:
            ClusterError: a worker does not meet the conditions, or the workers are lost.
            FourccError: what a job raised, with the worker's name.
        """
        running: dict[Future[Answer[Any]], Job[K]] = {}
        done: SimpleQueue[Future[Answer[Any]]] = SimpleQueue()  # `wait` would look at all that run each time
        waiting = iter(jobs)
        try:
            while True:
                while len(running) < self._window and (job := next(waiting, None)) is not None:
                    future = self._submit(job)
                    running[future] = job
                    future.add_done_callback(done.put)
                if not running:
                    return
                future = self._next(done)
                job = running.pop(future)
                yield job.key, self._receive(_result(future, job))
        finally:
            _end(running)

    def _next(self, done: SimpleQueue[Future[Answer[Any]]]) -> Future[Answer[Any]]:
        """The next task that ends. Raises ClusterError where all workers are lost, and for long no new one comes."""
        alone = 0.0
        while True:
            with suppress(Empty):
                return done.get(timeout=LOOK_SECONDS)
            client = getattr(self._executor, "client", None)  # of dask; other executors tell themselves
            alone = alone + LOOK_SECONDS if client is not None and not client.nthreads() else 0.0
            if alone >= ALONE_SECONDS:
                what = f"all workers are lost, and for {ALONE_SECONDS:.0f} s no other one came"
                raise ClusterError(what, hint=GO_ON)

    def _submit(self, job: Job[Any]) -> Future[Answer[Any]]:
        try:
            return self._executor.submit(checked_call, self._conditions, job.tensor, job.function, job.arguments)
        except (BrokenExecutor, RuntimeError, OSError) as error:
            raise _lost(error, job) from error

    def _receive(self, answer: Answer[T]) -> T:
        """The value of an answer, once its worker is seen to write into the folder."""
        marker = self._conditions.marker
        if marker is not None and answer.process not in self._known:
            _check_answer(marker.answer(answer.process), marker.text, answer.worker)
        self._known.add(answer.process)
        return answer.value


def checked_call(
    conditions: Conditions, tensor: str | None, function: Callable[..., T], arguments: tuple[object, ...]
) -> Answer[T]:
    """Runs a task in a worker, after the conditions are checked there.

    Raises:
        FourccError: what the task raises, with the worker's name.
        ClusterError: a condition does not hold, or the task raises anything else.
    """
    worker = worker_name()
    try:
        with _checking:
            if conditions.key not in _checked:
                conditions.check()
                _checked.add(conditions.key)
        return Answer(function(*arguments), worker, process_name())
    except FourccError as error:
        error.tensor = error.tensor or tensor
        error.worker = worker
        raise
    except OSError as error:
        what = f"a worker failed: {error.strerror or error}"
        raise ClusterError(what, file=error.filename, tensor=tensor, worker=worker) from error


def _nothing() -> None:
    """The task of a worker that is only checked."""


def _result(future: Future[Answer[T]], job: Job[Any]) -> Answer[T]:
    try:
        return future.result()
    except FourccError:
        raise
    except (CancelledError, BrokenExecutor) as error:
        raise _lost(error, job) from error
    except ImportError as error:
        raise ClusterError(NO_TASK, found=error, tensor=job.tensor, hint=SAME) from error
    except Exception as error:
        if type(error).__name__ in {"KilledWorker", "FutureCancelledError", "CommClosedError", "NoWorkerError"}:
            raise _lost(error, job) from error
        raise


def _lost(error: BaseException, job: Job[Any]) -> ClusterError:
    if type(error).__name__ == "KilledWorker":
        what = "every worker that this was given to was lost, one after the other"
        hint = "They may have too little memory: --memory bounds what each takes."
        return ClusterError(what, tensor=job.tensor, hint=f"{hint} {GO_ON}")
    if isinstance(error, BrokenExecutor):
        return ClusterError("a process of the executor ended abruptly", tensor=job.tensor, hint=GO_ON)
    if "after shutdown" in str(error):  # as Python's executors say it
        what = "the executor was shut down, and takes no more tasks"
        return ClusterError(what, tensor=job.tensor, hint="Stay in its `with` block until the work is done.")
    what = "the connection to the scheduler is lost"
    return ClusterError(what, tensor=job.tensor, hint="Start it and its workers again.")


def _check_answer(path: Path, expected: str, worker: str) -> None:
    try:
        seen = path.read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        what = "what a worker writes into the output's folder is not seen here"
        raise ClusterError(what, file=path.parent, worker=worker, hint=SHARED) from error
    if seen != expected:
        raise ClusterError("a worker writes into another folder", file=path.parent, worker=worker, hint=SHARED)


def _end(running: Iterable[Future[Any]]) -> None:
    """Cancels tasks, and waits for those that cannot be."""
    left = [future for future in running if not future.cancel()]
    wait(left, timeout=60)
