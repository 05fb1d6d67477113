"""Programs: steps run in order, shared if they have several chunks; sleeping helpers are woken."""

import numpy as np
import pytest

from fourcc.arrays import Array
from fourcc.kernels.compiler import jit
from fourcc.kernels.descriptors import STEP, address
from fourcc.kernels.simd.atomic import relax
from fourcc.kernels.simd.memory import load_word, store_word
from fourcc.kernels.threads.thread_team import SPINS, Team
from tests.kernels.test_team import count_rows, wait_for_each_other

pytestmark = pytest.mark.skipif(jit.uncompiled(), reason="programs are tables of compiled kernels")


def table(*steps: tuple[jit.KernelFunction, Array, Array, int, int]) -> Array:
    """A program of (kernel, weights, job, rows, chunk)."""
    program = STEP.table(len(steps))
    for row, (kernel, weights, job, rows, chunk) in zip(program, steps, strict=True):
        compiled = jit.compiled(kernel)
        assert isinstance(compiled, jit.Compiled)
        STEP.write(row, function=compiled.address, weights=address(weights), job=address(job), rows=rows, chunk=chunk)
    return program


def double(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Doubles the words of its rows."""
    for row in range(first, last):
        store_word(job + 8 * row, 2 * load_word(job + 8 * row))


def idle(weights: int, job: int, first: int, last: int, scratch: int) -> None:
    """Lets time pass: the weights' word is the number of turns."""
    for _ in range(load_word(weights)):
        relax()


@pytest.mark.parametrize("threads", [1, 2, 3, 5])
def test_steps_are_done_in_order(threads: int) -> None:
    """((0 + 1) * 2 + 1) * 2 in every row, whether a step is shared or not."""
    team, words = Team(threads), np.zeros(100, np.int64)
    for _ in range(20):
        words[...] = 0
        program = table(
            (count_rows, words, words, 100, 7),
            (double, words, words, 100, 100),
            (count_rows, words, words, 100, 100),
            (double, words, words, 100, 1),
        )
        team.run_program(program, 64)
        assert words.tolist() == [6] * 100


def test_empty_steps_are_passed_over() -> None:
    words = np.zeros(3, np.int64)
    Team(2).run_program(table((count_rows, words, words, 0, 1), (count_rows, words, words, 3, 1)), 64)
    assert words.tolist() == [1, 1, 1]


def test_a_helper_that_fell_asleep_is_woken() -> None:
    """One thread does a step alone for so long that the other falls asleep; the next step needs both.

    Now and then another process may have the second core.
    """
    team, turns, wanted, together = Team(2), np.array([50 * SPINS]), np.array([2]), 0
    for _ in range(10):
        out = np.zeros(3, np.int64)
        team.run_program(table((idle, turns, out, 1, 1), (wait_for_each_other, wanted, out, 2, 1)), 64)
        assert out[0] == 2
        together += out.tolist() == [2, 1, 1]
    assert together > 5
