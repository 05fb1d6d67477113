"""The search for trellis codes, the order of a block, importance and error feedback: what TC2, TC3 and TC4 share."""

from itertools import product

import numpy as np
import pytest

from fourcc.arrays import Array
from fourcc.compute import trellis as compute_trellis
from fourcc.encoding import encode
from fourcc.feedback.feedback import Feedback
from fourcc.format import Aids
from fourcc.formats.families.trellis import TABLE
from fourcc.formats.searches.viterbi import STATES, best_states
from fourcc.kernels.compiler import jit
from fourcc.kernels.products import trellis_blocks
from fourcc.metrics import ErrorSums

every = pytest.mark.parametrize("bits", [2, 3, 4])


def rings(count: int, seed: int) -> tuple[Array, Array]:
    """Units and counts, some of them 0."""
    random = np.random.default_rng(seed)
    counts = random.random((count, 256)).astype(np.float32)
    counts[:, 40:50] = 0
    return random.standard_normal((count, 256)).astype(np.float32), counts


def costs_of(units: Array, counts: Array, states: Array) -> Array:
    """The costs of rings, float64 (rings,)."""
    return ((units.astype(np.float64) - TABLE[states]) ** 2 * counts).sum(axis=1)


def least_cost(units: Array, counts: Array, bits: int) -> float:
    """The cheapest path of any states that need not close, by the plain recurrence over all of them, in float64."""
    costs, states = np.zeros(STATES), np.arange(STATES)
    for x, count in zip(units.astype(np.float64), counts.astype(np.float64), strict=True):
        before = costs.reshape(-1, 1 << bits).min(axis=1)  # of the states that have the same followers
        costs = before[states & ((STATES >> bits) - 1)] + (x - TABLE[states]) ** 2 * count
    return float(costs.min())


def test_the_table_is_all_quantiles_once() -> None:
    """Symmetric, of spread one, no value twice; the kernel has the same."""
    assert len(set(TABLE.tolist())) == STATES
    np.testing.assert_array_equal(np.sort(TABLE), -np.sort(TABLE)[::-1])
    assert abs(float(np.mean(np.float64(TABLE) ** 2)) - 1) < 0.002
    assert trellis_blocks.TABLE.tobytes() == TABLE.tobytes()


@every
def test_states_follow_each_other_around_the_ring(bits: int) -> None:
    states = best_states(*rings(2, bits), TABLE, bits)
    assert (states >> bits == np.roll(states, -1, axis=1) & ((STATES >> bits) - 1)).all()


@every
def test_closing_the_ring_costs_little(bits: int) -> None:
    """At most a twentieth more than the best path that need not close."""
    units, counts = rings(2, 10 + bits)
    costs = costs_of(units, counts, best_states(units, counts, TABLE, bits))
    least = [least_cost(*each, bits) for each in zip(units, counts, strict=True)]
    assert (costs >= np.array(least) - 1e-3).all()
    assert costs.sum() <= 1.05 * sum(least)


@every
def test_no_change_of_three_codes_makes_the_ring_better(bits: int) -> None:
    units, counts = rings(1, 20 + bits)
    codes = best_states(units, counts, TABLE, bits)[0] & ((1 << bits) - 1)
    least = ring_cost(units[0], counts[0], codes, bits)
    for at in (3, 200):
        for some in product(range(1 << bits), repeat=3):
            other = codes.copy()
            other[at : at + 3] = some
            assert ring_cost(units[0], counts[0], other, bits) >= least - 1e-4


def ring_cost(units: Array, counts: Array, codes: Array, bits: int) -> float:
    """The cost of a ring of codes."""
    states = sum(np.roll(codes, -later) << bits * later for later in range(12 // bits))
    return float(costs_of(units[None], counts[None], np.asarray(states)[None])[0])


@pytest.mark.skipif(jit.uncompiled(), reason="kernels run as Python")
@every
def test_the_search_in_machine_code_finds_the_same(bits: int) -> None:
    units, counts = rings(5, 30 + bits)
    units[1], units[2, ::2] = 0, 1  # ties
    counts[2] = 1

    def refuse(*_: object) -> Array:
        raise AssertionError("numpy searched")

    many = [np.tile(each, (64, 1)) for each in (units, counts)]  # so many that they are worth compiling
    found = compute_trellis.best_states(refuse, *many, TABLE, bits)
    assert (found[:5] == best_states(units, counts, TABLE, bits)).all()
    assert (found.reshape(64, 5, 256) == found[:5]).all()


@pytest.mark.parametrize(("bits", "least"), [(2, 11.3), (3, 17.3), (4, 22.9)])
def test_what_normal_weights_keep(bits: int, least: float) -> None:
    """Within 1.2 dB of the limit for codes of so many bits."""
    w = np.random.default_rng(1).standard_normal((64, 128)).astype(np.float32)
    assert least < ErrorSums.of(w, encode(w, f"TC{bits}").decode()).sqnr_db < 6.0206 * bits


def test_weights_of_important_columns_lose_less() -> None:
    w = np.random.default_rng(2).standard_normal((64, 32)).astype(np.float32)
    importance = np.where(np.arange(32) % 2, 9, 1).astype(np.float32)
    plain, aided = (encode(w, "TC3", aids=aids).decode() for aids in (None, Aids(importance=importance)))
    lost = [((each - w)[:, 1::2] ** 2).sum() for each in (plain, aided)]
    assert lost[1] < 0.9 * lost[0]
    nothing = encode(w, "TC3", aids=Aids(importance=np.zeros(32, np.float32)))
    assert nothing.decode().tobytes() == plain.tobytes()


def test_feedback_takes_errors_back() -> None:
    """Inputs that go together: the output error falls below 0.7 of that without feedback."""
    random = np.random.default_rng(3)
    inputs = random.standard_normal((512, 12)) @ random.standard_normal((12, 64)) + random.standard_normal((512, 64))
    hessian = (inputs.T @ inputs / 512).astype(np.float32)
    w = random.standard_normal((64, 64)).astype(np.float32)
    aids = Aids(hessian=hessian)
    plain, fed = (encode(w, "TC3", aids=aids, feedback=each).decode() for each in (None, Feedback()))
    errors = [(((each - w) @ inputs.T) ** 2).sum() for each in (plain, fed)]
    assert errors[1] < 0.7 * errors[0]
