"""The thread team: every row is done once, by any thread; nobody waits for a thread that is not there."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Thread

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc import encode
from fourcc.arrays import Array
from fourcc.kernels.compiler import jit
from fourcc.kernels.simd.atomic import add_shared, load_shared, relax
from fourcc.kernels.simd.memory import load_word, store_word
from fourcc.kernels.threads.thread_team import Split, Team
from fourcc.qmatrix import QMatrix
from tests.examples import examples
from tests.kernels.bounds import excess
from tests.kernels.random_inputs import normal, numbers
from tests.kernels.short_products import ROOT, environment

GOAL = 100.0  # seconds after which a test hangs


def count_rows(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Adds 1 to the word of each row, and marks the scratch memory."""
    for row in range(first, last):
        add_shared(job + 8 * row, 1)
    store_word(scratch, first)


def wait_for_each_other(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Adds 1 to the job's first word, then waits a bounded time until it is the weights' word."""
    add_shared(job, 1)
    for _ in range(3_000_000):
        if load_shared(job) >= load_word(weights):
            store_word(job + 8 + 8 * first, 1)
            return
        relax()


@pytest.fixture(scope="module")
def teams() -> dict[int, Team]:
    """Teams of several sizes; more threads than cores among them."""
    return {threads: Team(threads) for threads in (1, 2, 3, 5, 16)}


def counted(team: Team, split: Split) -> list[int]:
    """Number of times that each row was worked on."""
    rows = np.zeros(max(1, split.rows), np.int64)
    team.run(jit.compiled(count_rows), rows, rows, split)
    return rows[: split.rows].tolist()


@examples(100)
@given(
    threads=st.sampled_from([1, 2, 3, 5, 16]),
    rows=st.one_of(st.integers(0, 40), st.integers(0, 3000)),
    chunk=st.integers(1, 50),
    scratch=st.sampled_from([8, 100, 5000]),
)
def test_every_row_is_done_once(teams: dict[int, Team], threads: int, rows: int, chunk: int, scratch: int) -> None:
    """More threads than rows, or than cores, included."""
    assert counted(teams[threads], Split(rows, chunk, scratch)) == [1] * rows


@given(st.integers(0, 5000), st.sampled_from([1, 8, 16, 128]), st.integers(1, 40))
def test_rows_are_cut_at_multiples(rows: int, align: int, threads: int) -> None:
    split = Split.evenly(rows, align, threads)
    assert split.chunk % align == 0
    assert (split.chunks - 1) * split.chunk < max(1, rows) <= max(1, split.chunks * split.chunk)
    assert split.chunks <= 8 * threads


def test_very_many_short_jobs(teams: dict[int, Team]) -> None:
    """One after the other, so that helpers are awake, about to sleep, and asleep."""
    for turn in range(3000):
        if turn % 500 == 0:
            time.sleep(0.01)
        assert counted(teams[3], Split(7, 1, 8)) == [1] * 7


def test_threads_really_work_together(teams: dict[int, Team]) -> None:
    """Each of two chunks ends only when the other has begun; now and then another process may have the second core."""
    together = 0
    for _ in range(20):
        wanted, out = np.array([2]), np.zeros(3, np.int64)
        teams[2].run(jit.compiled(wait_for_each_other), wanted, out, Split(2, 1, 8))
        assert out[0] == 2
        together += out.tolist() == [2, 1, 1]
    assert together > 10


def test_the_team_of_another_thread_is_not_waited_for(teams: dict[int, Team]) -> None:
    """A thread that finds the team busy works alone, and does all rows."""
    with ThreadPoolExecutor(6) as pool:
        made = pool.map(lambda rows: counted(teams[3], Split(rows, 3, 64)), [40, 1, 700, 33, 9] * 100)
        assert list(made) == [[1] * rows for rows in [40, 1, 700, 33, 9] * 100]


# -- products


@pytest.fixture(scope="module")
def matrices() -> dict[str, tuple[QMatrix, Array, Array]]:
    """A matrix of each kind, activations, and the product on one thread."""
    made = {}
    for tag in ("Q4_0", "Q8_A", "F16", "Q4_A"):
        q, x = encode(numbers(normal, 1, (300, 288)), tag), numbers(normal, 2, (5, 288))
        made[tag] = (q, x, q.matmul(x, 1))
    return made


def test_products_from_several_threads_at_once(matrices: dict[str, tuple[QMatrix, Array, Array]]) -> None:
    def multiply(turn: int) -> bool:
        q, x, right = matrices[list(matrices)[turn % len(matrices)]]
        return q.matmul(x, 1 + turn % 4).tobytes() == right.tobytes()

    with ThreadPoolExecutor(5) as pool:
        assert all(pool.map(multiply, range(400)))


def test_the_first_product_from_several_threads_at_once() -> None:
    """They pack, and wait for one compilation."""
    x = numbers(normal, 2, (3, 96))
    for turn in range(10):
        q = encode(numbers(normal, turn, (40, 96)), "Q4_0")
        with ThreadPoolExecutor(5) as pool:
            made = {product.tobytes() for product in pool.map(lambda _, q=q: q.matmul(x, 2), range(5))}
        assert len(made) == 1


def test_who_takes_what_does_not_show(matrices: dict[str, tuple[QMatrix, Array, Array]]) -> None:
    for q, x, right in matrices.values():
        for threads in (2, 3, 16, 64):
            for _ in range(20):
                assert q.matmul(x, threads).tobytes() == right.tobytes()


@pytest.mark.parametrize("threads", [2, 16])
def test_more_threads_than_rows(threads: int) -> None:
    x = numbers(normal, 2, (3, 96))
    for rows in (1, 2, 5):
        q = encode(numbers(normal, 1, (rows, 96)), "Q8_0")
        assert excess(q, x, q.matmul(x, threads)) <= 1


# -- processes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="cannot fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_child_multiplies_after_a_fork(matrices: dict[str, tuple[QMatrix, Array, Array]]) -> None:
    """It makes a team of its own; the parent's team still works."""
    q, x, right = matrices["Q4_0"]
    assert q.matmul(x, 3).tobytes() == right.tobytes()
    for _ in range(3):
        child = os.fork()
        if not child:
            good = all(q.matmul(x, threads).tobytes() == right.tobytes() for threads in (1, 2, 3) for _ in range(20))
            os._exit(0 if good else 1)
        assert ended(child) == 0
        assert q.matmul(x, 3).tobytes() == right.tobytes()


def ended(child: int) -> int:
    """A process's exit code, or -1 if it did not end in time and was killed."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        process, status = os.waitpid(child, os.WNOHANG)
        if process:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return -1


def test_helpers_sleep_when_there_is_nothing_to_do(teams: dict[int, Team]) -> None:
    """An idle third of a second costs next to no processor time; then the helpers wake at once."""
    counted(teams[5], Split(50, 1, 8))
    time.sleep(0.05)
    before = time.process_time()
    time.sleep(0.3)
    assert time.process_time() - before < 0.05
    test_threads_really_work_together(teams)


@pytest.fixture
def busy() -> Iterator[None]:
    """Two other processes for every core, which are always busy."""
    count = 2 * (os.cpu_count() or 1)
    started = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    yield
    for process in started:
        process.kill()
        process.wait()


@pytest.mark.usefixtures("busy")
def test_other_processes_slow_it_down_but_do_not_stop_it(matrices: dict[str, tuple[QMatrix, Array, Array]]) -> None:
    q, x, right = matrices["Q4_0"]
    start = time.monotonic()
    for _ in range(30):
        assert q.matmul(x, 4).tobytes() == right.tobytes()
    assert time.monotonic() - start < 30


def test_a_process_ends_while_helpers_sleep() -> None:
    """Sleeping helpers do not keep it alive."""
    code = "import numpy as np, fourcc; fourcc.encode(np.ones((300, 64)), 'Q8_0').matmul(np.ones((2, 64)), 5)"
    subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment(), cwd=ROOT, check=True, timeout=GOAL)


def test_helpers_are_no_reason_for_a_thread_to_wait(teams: dict[int, Team]) -> None:
    """A thread ends right after its job."""
    results: list[list[int]] = []
    for _ in range(50):
        worker = Thread(target=lambda: results.append(counted(teams[3], Split(20, 2, 8))))
        worker.start()
        worker.join(GOAL)
        assert not worker.is_alive()
    assert results == [[1] * 20] * 50
