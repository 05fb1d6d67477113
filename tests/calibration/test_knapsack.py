"""The cheapest mix within a budget, against a dynamic programme over all mixes."""

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.calibration import knapsack
from fourcc.calibration.hulls import Choice, Group, corners, smallest, steps
from fourcc.calibration.knapsack import cheapest, cost_of, nbytes_of
from tests.examples import examples

CHOICES = st.builds(Choice, st.integers(0, 60), st.integers(0, 40).map(lambda cost: cost / 8))
GROUPS = st.lists(st.lists(CHOICES, min_size=1, max_size=5), min_size=1, max_size=9)
UNEVEN = st.lists(
    st.lists(st.builds(Choice, st.integers(0, 10**6), st.floats(0, 1)), min_size=1, max_size=4), min_size=1, max_size=6
)


def oracle(groups: Sequence[Group], budget: int) -> float | None:
    """The least cost of all mixes within the budget, by the least cost for each number of bytes; None: none fits."""
    costs = {0: 0.0}
    for group in groups:
        longer: dict[int, float] = {}
        for (nbytes, cost), choice in product(costs.items(), group):
            total = nbytes + choice.nbytes
            longer[total] = min(longer.get(total, cost + choice.cost), cost + choice.cost)
        costs = longer
    return min((cost for nbytes, cost in costs.items() if nbytes <= budget), default=None)


@examples(1500)
@given(st.one_of(GROUPS, UNEVEN), st.floats(0, 1.1))
def test_the_cheapest_mix_is_found(groups: list[list[Choice]], share: float) -> None:
    """Never above the budget, and never dearer than the oracle's; a budget below the smallest mix is refused."""
    least = sum(group[smallest(group)].nbytes for group in groups)
    most = sum(max(choice.nbytes for choice in group) for group in groups)
    budget = round(least * 0.9 + share * (most - least * 0.9))
    expected = oracle(groups, budget)
    if expected is None:
        assert budget < least
        with pytest.raises(ValueError, match="no mix is small enough"):
            cheapest(groups, budget)
        return
    mix = cheapest(groups, budget)
    assert nbytes_of(groups, mix) <= budget
    assert cost_of(groups, mix) == pytest.approx(expected, rel=1e-9, abs=1e-12)


@examples(600)
@given(st.one_of(GROUPS, UNEVEN), st.integers(0, 300), st.integers(0, 300))
def test_more_bytes_never_cost_more(groups: list[list[Choice]], budget: int, more: int) -> None:
    """Over budgets near each other, and near the smallest mix."""
    least = sum(group[smallest(group)].nbytes for group in groups)
    a, b = (cheapest(groups, least + each) for each in (budget, budget + more))
    assert cost_of(groups, b) <= cost_of(groups, a) * (1 + 1e-9)


@examples(600)
@given(GROUPS, st.integers(0, 300), st.integers(1, 4))
def test_a_crowded_programme_is_near_the_best(groups: list[list[Choice]], budget: int, states: int) -> None:
    """With few partial mixes the result fits, and is dearer than the best by less than one step's saving."""
    least = sum(group[smallest(group)].nbytes for group in groups)
    expected = oracle(groups, least + budget)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(knapsack, "STATES", states)
        mix = cheapest(groups, least + budget)
    assert nbytes_of(groups, mix) <= least + budget
    saved = [groups[each.group][each.before].cost - groups[each.group][each.after].cost for each in steps(groups)]
    assert expected is not None
    assert cost_of(groups, mix) <= expected + max(saved, default=0) + 1e-9


@examples(600)
@given(st.lists(CHOICES, min_size=1, max_size=8), st.floats(0, 3))
def test_a_hull_has_the_best_choice_at_every_price(group: list[Choice], price: float) -> None:
    """From the smallest choice to the cheapest; each step gains less for a byte than the one before."""
    hull = corners(group)
    assert hull[0] == smallest(group)
    assert group[hull[-1]].cost == min(choice.cost for choice in group)
    best = min(choice.cost + price * choice.nbytes for choice in group)
    assert min(group[number].cost + price * group[number].nbytes for number in hull) == pytest.approx(best)
    gains = [step.gain for step in steps([group])]
    assert gains == sorted(gains, reverse=True)


def test_ties_go_to_the_first_and_to_fewer_bytes() -> None:
    """Equal choices, and choices that save nothing."""
    twins = [Choice(4, 1.0), Choice(2, 2.0), Choice(2, 2.0), Choice(4, 1.0), Choice(9, 1.0)]
    assert [cheapest([twins], budget) for budget in (2, 3, 4, 100)] == [[1], [1], [0], [0]]
    assert [(each.before, each.after) for each in steps([twins, twins])] == [(1, 0), (1, 0)]
    assert cheapest([twins, twins], 6) == [0, 1]


def test_choices_beside_the_hull_use_what_is_left() -> None:
    """The hull of the first group goes from 0 to 10 bytes; only the choice of 6, which lies above it, fits."""
    groups = [[Choice(0, 10.0), Choice(6, 9.0), Choice(10, 0.0)], [Choice(0, 1.0), Choice(3, 0.9)]]
    assert corners(groups[0]) == [0, 2]
    assert cheapest(groups, 9) == [1, 1]
    assert cheapest(groups, 6) == [1, 0]


def test_costs_may_be_of_any_size() -> None:
    """A search for a price would need a range that fits them."""
    for scale in (1e-30, 1e-9, 1.0, 1e9, 1e30):
        groups = [[Choice(k, scale * (5 - k) ** 2) for k in range(6)] for _ in range(4)]
        assert nbytes_of(groups, cheapest(groups, 11)) == 11
        assert sorted(cheapest(groups, 11)) == [2, 3, 3, 3]
