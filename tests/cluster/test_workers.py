"""Handing out tasks: workers are checked first, what they raise names them, and what is lost is said."""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import attrs
import pytest

from fourcc.cluster import workers as module
from fourcc.cluster.conditions import Conditions, Marker, SeenFile, conditions
from fourcc.cluster.workers import Job, Workers
from fourcc.errors import ClusterError, NumericError
from fourcc.tags import as_tag

Q4 = as_tag("Q4_0")


def square(number: int) -> int:
    """A task."""
    return number * number


def slow(seconds: float) -> float:
    """A task that takes a while."""
    time.sleep(seconds)
    return seconds


def refuse() -> None:
    """A task that raises one of our errors."""
    raise NumericError("bad weights", found="nan")


def miss(path: str) -> None:
    """A task that reads a file that is not there."""
    Path(path).read_bytes()


def end() -> None:
    """A task that ends its process."""
    os._exit(3)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """An executor of this process."""
    with ThreadPoolExecutor(2) as executor:
        yield executor


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file that workers read."""
    path = tmp_path / "source"
    path.write_bytes(bytes(range(256)) * 1000)
    return path


def needs(source: Path) -> Conditions:
    """Conditions that hold in this process."""
    return conditions([Q4], [source], source.with_name("model.bin"))


def error_of(executor: Executor, wanted: Conditions, job: Job[int] | None = None) -> str:
    """The text of the error of a job."""
    with pytest.raises(ClusterError) as raised, Workers(executor, wanted) as workers:
        list(workers.results([job or Job(0, square, (3,), "wq")]))
    return str(raised.value)


def test_results_come_with_their_keys(threads: Executor, source: Path) -> None:
    with Workers(threads, needs(source)) as workers:
        found = dict(workers.results(Job(number, square, (number,)) for number in range(50)))
    assert found == {number: number * number for number in range(50)}
    assert list(source.parent.iterdir()) == [source], "markers and answers are removed"


def test_results_come_as_they_are_done(threads: Executor, source: Path) -> None:
    with Workers(threads, needs(source)) as workers:
        order = [key for key, _ in workers.results([Job("late", slow, (0.3,)), Job("soon", slow, (0,))])]
    assert order == ["soon", "late"]


def test_threads_of_dask_s_workers_are_counted(source: Path) -> None:
    """Also where a user made the executor of a client: units are handed out by their number."""
    distributed = pytest.importorskip("distributed", reason="dask is not installed")
    local = {"n_workers": 2, "threads_per_worker": 2, "processes": False, "dashboard_address": None}
    with distributed.Client(**local, set_as_default=False) as client:
        assert Workers(client.get_executor(pure=False), needs(source)).slots == 4


def test_few_tasks_are_handed_out_ahead(threads: Executor, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WINDOW", 3)
    handed = 0

    def jobs() -> Iterator[Job[int]]:
        nonlocal handed
        for number in range(20):
            handed += 1
            yield Job(number, square, (number,))

    with Workers(threads, needs(source)) as workers:
        results = workers.results(jobs())
        next(results)
        assert handed <= 4
        results.close()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("version of numpy", "a worker has another version of numpy: found"),
        ("source code of fourcc", "a worker has another source code of fourcc: found"),
        ("format Q4_0", "a worker has another format Q4_0: found fourcc 0.1.0, expected other 2.0"),
    ],
)
def test_another_version_is_named(threads: Executor, source: Path, name: str, text: str) -> None:
    there = needs(source)
    found = error_of(threads, attrs.evolve(there, versions={**there.versions, name: "other 2.0"}))
    assert text in found
    assert f"process {os.getpid()} on " in found
    assert "All workers need one version of everything" in found


def test_processors_count_where_results_depend_on_them(source: Path) -> None:
    assert "SIMD target" in conditions([], [source], simd=True).versions
    assert "SIMD target" not in conditions([], [source]).versions


def test_a_worker_that_does_not_see_the_source_is_named(threads: Executor, source: Path) -> None:
    wanted = attrs.evolve(needs(source), files=(SeenFile("/nowhere/model", 3, "00"),))
    text = error_of(threads, wanted)
    assert text.startswith("/nowhere/model, tensor 'wq', worker process ")
    assert "a worker does not see a file of the source: No such file or directory." in text
    assert "put them on a file system that all share" in text


def test_a_worker_that_sees_another_file_is_named(threads: Executor, source: Path) -> None:
    wanted = needs(source)
    source.write_bytes(b"other")
    text = error_of(threads, wanted)
    assert "a worker sees another file under this name: found 5 bytes, digest of its ends" in text
    assert "expected 256000 bytes" in text


def test_a_worker_without_the_output_folder_is_named(threads: Executor, source: Path) -> None:
    wanted = needs(source)
    assert wanted.marker is not None
    with pytest.raises(ClusterError, match="does not see the output's folder: the file that marks it is missing"):
        attrs.evolve(wanted, marker=Marker(str(source.parent / "none"), "x")).check()
    Path(wanted.marker.path).write_text("another", encoding="ascii")
    with pytest.raises(ClusterError, match="a worker sees another folder under this name"):
        wanted.check()


def test_a_worker_whose_files_are_not_seen_is_named(
    threads: Executor, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Conditions, "check", lambda self: None)
    text = error_of(threads, needs(source))
    assert "what a worker writes into the output's folder is not seen here" in text


def test_what_a_task_raises_names_tensor_and_worker(threads: Executor, source: Path) -> None:
    with Workers(threads, needs(source)) as workers, pytest.raises(NumericError) as raised:
        list(workers.results([Job(0, refuse, (), "wq")]))
    assert str(raised.value).startswith(f"tensor 'wq', worker process {os.getpid()} on ")
    assert str(raised.value).endswith("bad weights: found nan")


def test_a_system_error_of_a_task_names_its_file(threads: Executor, source: Path) -> None:
    text = error_of(threads, needs(source), Job(0, miss, ("/nowhere/x",), "wq"))
    assert text.startswith("/nowhere/x, tensor 'wq', worker process")
    assert text.endswith("a worker failed: No such file or directory")


def test_a_process_that_ends_is_an_error(source: Path) -> None:
    with ProcessPoolExecutor(1) as pool:
        text = error_of(pool, needs(source), Job(0, end, (), "wq"))
    assert text == "tensor 'wq': a process of the executor ended abruptly. Start workers again."
    assert list(source.parent.iterdir()) == [source]


class Lost(Executor):
    """An executor whose tasks end as those of a cluster that is lost.

    Args:
        outcome: of each task.
    """

    def __init__(self, outcome: Callable[[Future[object]], None]) -> None:
        self._outcome = outcome

    def submit(self, *_: object, **__: object) -> Future[object]:  # type: ignore[override]  # nothing is called
        """A task that is over."""
        future: Future[object] = Future()
        self._outcome(future)
        return future


class KilledWorker(Exception):  # noqa: N818 - dask's name
    """As dask's, which these tests do not need."""


def test_a_lost_scheduler_is_an_error(source: Path) -> None:
    def cancel(future: Future[object]) -> None:
        future.cancel()
        future.set_running_or_notify_cancel()

    text = error_of(Lost(cancel), needs(source))
    assert text == "tensor 'wq': the connection to the scheduler is lost. Start it and its workers again."


@pytest.mark.parametrize("made", [ThreadPoolExecutor, ProcessPoolExecutor])
def test_an_executor_that_was_shut_down_is_an_error(source: Path, made: Callable[[int], Executor]) -> None:
    """No scheduler is spoken of, for there is none."""
    executor = made(1)
    executor.shutdown()
    assert error_of(executor, needs(source)) == (
        "tensor 'wq': the executor was shut down, and takes no more tasks. "
        "Stay in its `with` block until the work is done."
    )


def test_workers_that_are_lost_one_after_the_other_are_an_error(source: Path) -> None:
    text = error_of(Lost(lambda future: future.set_exception(KilledWorker())), needs(source))
    assert text.startswith("tensor 'wq': every worker that this was given to was lost, one after the other.")
    assert "--memory bounds what each takes" in text


def test_later_tasks_do_not_begin_after_an_error(source: Path) -> None:
    def work(number: int) -> None:
        time.sleep(0.02)
        done.append(number)

    done = list[int]()
    with ThreadPoolExecutor(1) as executor, Workers(executor, needs(source)) as workers:
        jobs = [Job(0, refuse), *(Job(number, work, (number,)) for number in range(1, 30))]
        with pytest.raises(NumericError):
            list(workers.results(jobs))
    assert len(done) < 29


def test_a_worker_without_fourcc_is_an_error(source: Path) -> None:
    missing = ModuleNotFoundError("No module named 'fourcc'")
    text = error_of(Lost(lambda future: future.set_exception(missing)), needs(source))
    assert text.startswith(
        "tensor 'wq': a worker cannot load fourcc's tasks: found No module named 'fourcc'. All workers"
    )


def test_what_dask_s_workers_answer() -> None:
    """A broken connection tells that a worker is lost; its tasks will run elsewhere."""
    refuse = pytest.importorskip("fourcc.cluster.dask_executor", reason="needs the extra cluster")._refuse
    refuse("tcp://10.0.0.1:1", ConnectionError("closed"))
    refuse("tcp://10.0.0.1:1", "an answer")
    with pytest.raises(NumericError):
        refuse("tcp://10.0.0.1:1", NumericError("bad"))
    with pytest.raises(
        ClusterError, match=r"worker tcp://10\.0\.0\.1:1: a worker cannot load fourcc's tasks: found KeyError"
    ):
        refuse("tcp://10.0.0.1:1", KeyError("x"))


class Deserted(ThreadPoolExecutor):
    """Takes tasks as dask does whose workers are all lost: none of them ever ends."""

    class client:  # noqa: N801 - the attribute of dask's executor
        """Its client."""

        @staticmethod
        def nthreads() -> dict[str, int]:
            """No worker is there."""
            return {}

    def submit(self, *_: object) -> Future[object]:  # type: ignore[override]  # only the number of arguments differs
        """A task that nobody does."""
        return Future()


def test_a_cluster_without_workers_is_given_up(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(module, "ALONE_SECONDS", 0.05)
    assert (
        error_of(Deserted(1), needs(source))
        == "all workers are lost, and for 0 s no other one came. Start workers again."
    )
