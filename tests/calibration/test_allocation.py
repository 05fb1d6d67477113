"""Options for units: within the budget, with pins and wanted options, fast enough; and every error's text."""

from itertools import product
from math import fsum

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.calibration.allocation import allocate
from fourcc.calibration.costs import Costs, Option, Unit
from fourcc.calibration.hulls import Choice
from fourcc.calibration.knapsack import cost_of, nbytes_of
from fourcc.calibration.pins import as_options, as_pins
from fourcc.calibration.speed import cheapest_in_time
from fourcc.errors import UsageError
from tests.calibration.made_up_costs import TAGS, made_up, small_model
from tests.examples import examples


@pytest.fixture(scope="module")
def costs() -> Costs:
    """Made-up costs of a small model."""
    return made_up(small_model(), (*TAGS, "Q4_A"))


def tags(costs: Costs, budget: int, **more: object) -> dict[str, str]:
    """The tag of each unit."""
    allocation = allocate(costs, budget, **more)  # type: ignore[arg-type]  # as the caller gives them
    return {unit.name: str(option.tag) for unit, option in zip(allocation.units, allocation.chosen, strict=True)}


def test_sums_are_those_of_the_options(costs: Costs) -> None:
    allocation = allocate(costs, 400_000)
    assert allocation.nbytes == sum(option.nbytes for option in allocation.chosen) <= 400_000
    assert allocation.kld == fsum(option.kld for option in allocation.chosen if option.kld is not None)
    assert allocation.seconds == fsum(option.seconds for option in allocation.chosen if option.seconds is not None)
    silent = [attrs.evolve(unit, options=_without_seconds(unit)) for unit in costs.units]
    assert allocate(attrs.evolve(costs, units=tuple(silent)), 400_000).seconds is None


def _without_seconds(unit: Unit) -> tuple[Option, ...]:
    return tuple(attrs.evolve(option, seconds=None) for option in unit.options)


@pytest.mark.parametrize("tag", ["Q4_0", "Q5_0", "Q8_0", "Q4_A"])
def test_never_worse_than_one_format(costs: Costs, tag: str) -> None:
    """At the same bytes."""
    uniform = [next(option for option in unit.options if str(option.tag) == tag) for unit in costs.units]
    allocation = allocate(costs, sum(option.nbytes for option in uniform))
    assert allocation.kld <= fsum(option.kld for option in uniform if option.kld is not None)


def test_pins_decide(costs: Costs) -> None:
    """By role and by name; the first that selects a unit decides it, and a pin may leave the wanted options."""
    pins = as_pins(["role=embedding:Q8_0", "layers.0.attention.w[qk]:Q5_0", "layers.0.*:Q4_A:method=equal-count"])
    some = "Q4_A:method=equal-count"
    more = [attrs.evolve(unit, options=(*unit.options, *_equal_count(unit))) for unit in costs.units]
    found = tags(attrs.evolve(costs, units=tuple(more)), 10**6, pins=pins, options=as_options(f"Q4_0,{some}"))
    assert found["tok_embeddings"] == "Q8_0"
    assert (found["layers.0.attention.wq"], found["layers.0.attention.wk"]) == ("Q5_0", "Q5_0")
    assert (found["layers.0.attention.wv"], found["layers.0.feed_forward.w2"]) == ("Q4_A", "Q4_A")
    assert {tag for name, tag in found.items() if not name.startswith(("layers.0.", "tok"))} <= {"Q4_0", "Q4_A"}


def _equal_count(unit: Unit) -> list[Option]:
    first = next(option for option in unit.options if str(option.tag) == "Q4_A")
    return [attrs.evolve(first, options={**first.options, "method": "equal-count"}, kld=9.0)]


@pytest.mark.parametrize(
    ("pins", "options", "message"),
    [
        (["role=embeding:Q8_0"], None, r"^the pin 'role=embeding' selects no unit\. Did you mean 'embedding'\?$"),
        (["embedding:Q8_0"], None, r"^the pin 'embedding' selects no unit\. A role is role=embedding\.$"),
        (["zzz*:Q8_0"], None, r"^the pin 'zzz\*' selects no unit\. There are tok_embeddings, .* and \d+ more\.$"),
        (["role=embedding:Q8_0", "tok*:Q4_0"], None, r"^the pin 'tok\*' decides nothing\. Pins before it take all"),
        (["role=embedding:Q9_0"], None, r"^'tok_embeddings' cannot have Q9_0, expected one of Q2_K, "),
        (
            ["role=embedding"],
            None,
            r"^no pin is spelled so: found 'role=embedding', expected role=GLOB:TAG, or GLOB:",
        ),
        (["role=:Q8_0"], None, r"^no pin is spelled so"),
        (["a:Q8_0:group"], None, r"^no option is spelled so: found 'Q8_0:group', expected TAG, or TAG:NAME=VALUE"),
        (["a:Q8.0"], None, r"^no option is spelled so: .*, expected TAG"),
        ([], "Q4_0,Q9_0", r"^the costs have no option 'Q9_0', expected some of "),
        ([], "Q4_0:group=7", r"^the costs have no option 'Q4_0:group=7'"),
        ([], "Odd", r"^'tok_embeddings' cannot have Odd, expected one of .*The costs hold what was measured and fits"),
    ],
)
def test_what_cannot_be_chosen(costs: Costs, pins: list[str], options: str | None, message: str) -> None:
    """Each error says what there is."""
    odd = attrs.evolve(costs.units[-1].options[0], tag="Odd")
    last = attrs.evolve(costs.units[-1], options=(odd, *costs.units[-1].options[1:]))
    with pytest.raises(UsageError, match=message):
        allocate(attrs.evolve(costs, units=(*costs.units[:-1], last)), 10**6, as_pins(pins), as_options(options))


def test_options_without_a_divergence_are_not_chosen(costs: Costs) -> None:
    """A unit without any is an error."""
    first, *others = costs.units
    unknown = attrs.evolve(first.options[-1], kld=None)
    some = attrs.evolve(costs, units=(attrs.evolve(first, options=(*first.options[:-1], unknown)), *others))
    assert allocate(some, 10**6).chosen[0] != unknown
    none = attrs.evolve(first, options=tuple(attrs.evolve(option, kld=None) for option in first.options))
    with pytest.raises(UsageError, match=r"no KL divergence of 'tok_embeddings'\. Measure the model again"):
        allocate(attrs.evolve(costs, units=(none, *others)), 10**6)


def test_a_budget_that_is_too_small(costs: Costs) -> None:
    least = sum(unit.options[0].nbytes for unit in costs.units)
    assert allocate(costs, least).nbytes == least
    with pytest.raises(UsageError, match=f"no mix is small enough: found {least} bytes at least, expected {least - 1}"):
        allocate(costs, least - 1)


def test_a_mix_that_is_fast_enough(costs: Costs) -> None:
    """More speed never costs less; the fastest is stated where that is not enough."""
    free = allocate(costs, 600_000)
    assert free.seconds is not None
    wishes = [share / free.seconds for share in (0.9, 1.1, 1.2, 1.3)]
    mixes = [allocate(costs, 600_000, min_toks=wish) for wish in wishes]
    assert mixes[0] == free
    for mix, wish in zip(mixes, wishes, strict=True):
        assert mix.seconds is not None
        assert mix.seconds <= 1 / wish
        assert mix.nbytes <= 600_000
    assert [mix.kld for mix in mixes] == sorted(mix.kld for mix in mixes)
    with pytest.raises(UsageError, match=r"is fast enough: found [0-9.e+]+ tokens a second at most, expected 1e\+12$"):
        allocate(costs, 600_000, min_toks=1e12)


def test_seconds_that_are_missing() -> None:
    costs = made_up(small_model(), seconds=False)
    with pytest.raises(
        UsageError, match=r"how long products with 'tok_embeddings' take\. Measure again with --seconds"
    ):
        allocate(costs, 10**6, min_toks=10)


def test_an_embedding_that_is_only_looked_up_takes_no_time(costs: Costs) -> None:
    """One that is also the output is multiplied."""
    first, *others = costs.units
    assert first.roles == ("embedding", "output")
    untied = attrs.evolve(
        costs, units=(attrs.evolve(first, roles=("embedding",), options=_without_seconds(first)), *others)
    )
    with_output, without = allocate(costs, 600_000), allocate(untied, 600_000)
    assert without.seconds is not None
    assert with_output.seconds is not None
    assert without.seconds == pytest.approx(with_output.seconds - (with_output.chosen[0].seconds or 0))
    assert allocate(untied, 600_000, min_toks=1).chosen == without.chosen


TIMED = st.tuples(st.integers(0, 20), st.integers(0, 20), st.integers(1, 20))


@examples(400)
@given(
    st.lists(st.lists(TIMED, min_size=1, max_size=4), min_size=1, max_size=5), st.integers(0, 40), st.integers(0, 40)
)
def test_fast_enough_against_all_mixes(units: list[list[tuple[int, int, int]]], more: int, slower: int) -> None:
    """Within both budgets always; as prices find it, at most as dear as the fastest mix, and the best where it is."""
    groups = [[Choice(nbytes, float(cost)) for nbytes, cost, _ in unit] for unit in units]
    times = [[float(time) for *_, time in unit] for unit in units]
    mixes = [list(mix) for mix in product(*(range(len(unit)) for unit in units))]
    budget = min(nbytes_of(groups, mix) for mix in mixes) + more
    limit = min(_time(times, mix) for mix in mixes) + slower
    fitting = [mix for mix in mixes if nbytes_of(groups, mix) <= budget and _time(times, mix) <= limit]
    if not fitting:
        with pytest.raises(UsageError, match="no mix within the budget is fast enough"):
            cheapest_in_time(groups, times, budget, 1 / (limit + 1e-9))
        return
    found = cheapest_in_time(groups, times, budget, 1 / (limit + 1e-9))
    assert found in fitting
    best = min(cost_of(groups, mix) for mix in fitting)
    spread = max(max(choice.cost for choice in group) - min(choice.cost for choice in group) for group in groups)
    assert best <= cost_of(groups, found) <= best + 2 * spread


def _time(times: list[list[float]], mix: list[int]) -> float:
    return sum(some[number] for some, number in zip(times, mix, strict=True))
