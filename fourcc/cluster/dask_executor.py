"""Executors of dask: the only module that imports it."""

from __future__ import annotations

import logging
import signal
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing import resource_tracker
from typing import Any

import dask
from distributed import Client, LocalCluster
from distributed.cfexecutor import ClientExecutor

from fourcc.cluster.conditions import NO_TASK, SAME
from fourcc.errors import ClusterError, FourccError

ANSWER_SECONDS = 20  # that a scheduler has to answer
LOSSES = 10  # lost workers that a task survives; dask's own 3 are soon reached where machines come and go
STARTS = 5  # tries to start the processes of a local cluster
QUIET = ("distributed", "tornado", "asyncio")

CONFIG = {
    "distributed.scheduler.allowed-failures": LOSSES,
    "distributed.comm.timeouts.connect": f"{ANSWER_SECONDS}s",
    "distributed.comm.timeouts.tcp": "5 minutes",  # a machine that is busy encoding answers late
    "distributed.admin.tick.limit": "1h",  # Python code of formats may hold the interpreter for long
    "distributed.worker.memory.target": False,  # fourcc bounds its memory itself
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
}


class DaskExecutor(ClientExecutor):
    """An executor on a client of dask, whose tasks are never taken for one another."""

    def __init__(self, client: Client) -> None:
        super().__init__(client, pure=False)
        self.client = client

    def everywhere(self, function: Callable[..., Any], *arguments: object) -> list[Any]:
        """The results of a function on every worker; a worker that is lost meanwhile gives none.

        Raises:
            ClusterError: there is no worker, or one cannot run the function.
            FourccError: what the function raises.
        """
        try:
            self.client.wait_for_workers(1, timeout=ANSWER_SECONDS)
        except TimeoutError as error:
            address = self.client.scheduler_info()["address"]
            hint = f"Start some on each machine: `dask worker {address} --nthreads 1`."
            raise ClusterError("the scheduler has no worker", hint=hint) from error
        found = self.client.run(function, *arguments, on_error="return")
        for address, result in found.items():
            _refuse(address, result)
        return [result for result in found.values() if not isinstance(result, OSError)]


def _refuse(address: str, result: object) -> None:
    """Raises what a worker raised; a connection that broke, an OSError, tells only that it is lost."""
    if isinstance(result, FourccError):
        raise result
    if isinstance(result, Exception) and not isinstance(result, OSError):
        raise ClusterError(NO_TASK, found=f"{type(result).__name__}: {result}", worker=address, hint=SAME) from result


@contextmanager
def remote(address: str) -> Iterator[DaskExecutor]:
    """An executor on the scheduler at an address. Raises ClusterError where none answers."""
    with _quiet(), dask.config.set(CONFIG):
        try:
            client = Client(address, set_as_default=False, timeout=ANSWER_SECONDS)
        except (OSError, TypeError, ValueError) as error:  # TypeError: tls, and no certificates
            hint = "`dask scheduler` prints its address when it starts; dask's configuration has the files for tls."
            raise ClusterError(f"no scheduler of dask answers at {address}", found=error, hint=hint) from error
        try:
            client.run_on_scheduler(_endure, LOSSES)
            yield DaskExecutor(client)
        finally:
            client.close(timeout=2)


def _endure(losses: int, dask_scheduler: Any = None) -> None:  # noqa: ANN401 - dask's own, given by name
    """Has a scheduler run a task again after more lost workers than it would."""
    dask_scheduler.allowed_failures = max(losses, dask_scheduler.allowed_failures)


@contextmanager
def local(count: int) -> Iterator[DaskExecutor]:
    """An executor on processes of this machine, which end with the block."""
    with (
        _quiet(),
        dask.config.set(CONFIG),
        tempfile.TemporaryDirectory(prefix="fourcc-") as folder,
        ExitStack() as stack,
    ):
        with _without_interrupts():
            cluster = stack.enter_context(_started(count, folder))
            client = stack.enter_context(Client(cluster, set_as_default=False))
        yield DaskExecutor(client)


def _started(count: int, folder: str) -> LocalCluster:
    """Processes that are ready to work. Raises ClusterError where some end again and again while they start."""
    for _ in range(STARTS):
        try:
            return LocalCluster(
                n_workers=count,
                threads_per_worker=1,
                processes=True,
                dashboard_address="127.0.0.1:0",  # any free port
                scheduler_kwargs={"dashboard": False},
                local_directory=folder,
                memory_limit=0,
                silence_logs=logging.CRITICAL,
            )
        except (RuntimeError, OSError, TimeoutError) as error:  # a process was killed before it was ready
            failed = error
    raise ClusterError("the processes of a local cluster do not start", found=failed)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keeps dask's reports of workers that come and go, which are no errors here, off the terminal."""
    known = [name for name in logging.root.manager.loggerDict if name.split(".")[0] in QUIET]  # each has a level
    loggers = [logging.getLogger(name) for name in {*QUIET, *known}]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Holds Ctrl-C back: threads and processes that are started meanwhile never get it, their starter gets it after.

    A terminal sends it to all processes of a command, and those of a cluster would each print a traceback.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    resource_tracker.ensure_running()  # else the first process to start would start it, and let signals through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
