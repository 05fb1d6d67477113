"""From costs to a policy whose file fits: to the byte, never worse than what has a name, the same each time."""

import re
from collections.abc import Iterator
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.calibration.budget import Budget
from fourcc.calibration.costs import Costs, Unit
from fourcc.calibration.fitting import FittedMix, fit
from fourcc.calibration.mix_policy import mix_policy
from fourcc.calibration.pins import as_options, as_pins
from fourcc.conversion.carrying_out import execute
from fourcc.conversion.plan import plan
from fourcc.errors import InputError, UsageError
from fourcc.format import Aids
from fourcc.policy import Policy
from fourcc.sources import open_source
from fourcc.sources.source import Source
from tests.calibration.made_up_costs import made_up, small_model
from tests.examples import examples

SMALL = small_model()
COSTS = made_up(SMALL)


def fitted(budget: str, costs: Costs = COSTS, source: Source = SMALL, **more: object) -> FittedMix:
    """The mix for a budget."""
    return fit(source, costs, Budget.of(budget), **more)  # type: ignore[arg-type]  # as the caller gives them


@examples(42)
@given(st.integers(350_000, 900_000), st.integers(0, 5))
def test_the_file_fits_and_nothing_with_a_name_is_better(budget: int, seed: int) -> None:
    """The bytes left over are stated; the policy expects what was asked for, and is carried out as it was planned."""
    mix = fitted(str(budget), made_up(SMALL, seed=seed))
    assert mix.plan.file_bytes + mix.left_over == budget
    assert mix.left_over >= 0
    assert mix.plan.unmet == ()
    again = plan(SMALL, Policy.parse(mix.policy.text))
    assert [str(step.decision.tag) for step in again.steps] == [str(step.decision.tag) for step in mix.plan.steps]
    for rival in filter(None, (mix.uniform, mix.recipe)):
        assert rival.plan.file_bytes <= budget
        assert mix.allocation.kld <= rival.mix.allocation.kld
    inside = [named for named in mix.named if named.allocation.nbytes + mix.other_bytes + 10_000 < budget]
    assert all(mix.allocation.kld <= named.allocation.kld for named in inside)


@examples(30)
@given(st.integers(350_000, 900_000), st.integers(0, 20_000))
def test_a_larger_budget_is_used(budget: int, more: int) -> None:
    """The divergence falls but for the few hundred bytes by which the texts of the policies differ."""
    small, large = (fitted(str(each)).allocation.kld for each in (budget, budget + more + 1_000))
    assert large <= small * (1 + 1e-9)


@pytest.mark.parametrize("budget", [411_000, 523_000])
def test_a_byte_less_is_too_little(budget: int) -> None:
    """A budget of just what a mix takes buys as good a mix; slightly smaller ones are kept, too."""
    first = fitted(str(budget))
    size = first.plan.file_bytes
    again = fitted(str(size))
    assert again.plan.file_bytes <= size
    assert again.allocation.kld <= first.allocation.kld
    for less in (1, 40, 120):
        assert fitted(str(size - less)).plan.file_bytes <= size - less


def test_the_length_is_that_of_the_converted_file(tmp_path: Path) -> None:
    """With calibration data, whose digests are counted beforehand."""
    calibrated = made_up(SMALL, calibration="ab" * 16)
    mix = fitted("500kB", calibrated)
    aids = {unit.name: Aids(importance=np.ones(unit.shapes[0][1], np.float32)) for unit in calibrated.units}
    converted = execute(plan(SMALL, mix.policy, aids=aids), tmp_path / "model.bin")
    assert converted.path.stat().st_size == mix.plan.file_bytes
    assert {record.name: str(record.tag) for record in converted.index.tensors} == {
        step.source.name: str(step.decision.tag) for step in mix.plan.steps
    }
    with_feedback = attrs.evolve(calibrated, feedback={"method": "gptq", "damping": 0.01, "order": "activity"})
    assert fitted("500kB", with_feedback).plan.file_bytes <= 500_000


def test_feedback_that_is_not_known() -> None:
    odd = attrs.evolve(COSTS, calibration="ab" * 16, feedback={"method": "gptq", "rounds": 3})
    with pytest.raises(
        InputError, match=r"settings of error feedback that are not known: found method, rounds\. Measure"
    ):
        fitted("500kB", odd)


def test_bits_are_those_of_all_tensors() -> None:
    """As `inspect` prints them; the file's length does not count."""
    mix = fitted("4.0bpw")
    assert 8 * mix.plan.nbytes <= 4 * mix.plan.weights < 8 * (mix.plan.nbytes + 20_000)
    assert 'bits = "<= 4"' in mix.policy.text


@pytest.mark.parametrize(("budget", "unit"), [("100kB", r"\d{6} bytes"), ("2bpw", r"2\.\d+ bits a weight")])
def test_a_budget_below_the_smallest_mix(budget: str, unit: str) -> None:
    """The message says what the smallest comes to, and that much is enough."""
    with pytest.raises(UsageError) as caught:
        fitted(budget)
    words = rf"no mix is within the budget: found ({unit}) for the smallest, expected {budget}\. Raise the budget, .*"
    found = re.fullmatch(words, str(caught.value))
    assert found is not None
    if "bytes" in unit:
        least = found[1].removesuffix(" bytes")
        assert int(least) - 1000 < fitted(least).plan.file_bytes <= int(least)


def test_a_few_bytes_are_meant_as_bits() -> None:
    with pytest.raises(UsageError, match=r" A number alone is bytes of the file; bits a weight are 4\.5bpw\.$"):
        fitted("4.5")


@pytest.mark.parametrize(("budget", "unit"), [("5MB", r"\d{7} bytes"), ("9bpw", r"8\.\d+ bits a weight")])
def test_a_budget_above_the_largest_mix(budget: str, unit: str) -> None:
    words = rf"^the budget is above every mix: found {unit} for the largest, expected {budget}\. "
    with pytest.raises(UsageError, match=words):
        fitted(budget)


def test_pins_and_options_hold() -> None:
    """Also where a mix with a name would be better."""
    mix = fitted("600kB", pins=as_pins("role=embedding:Q8_0"), options=as_options("Q2_K,Q4_0"))
    found = {step.source.name: str(step.decision.tag) for step in mix.plan.steps}
    assert found["tok_embeddings"] == "Q8_0"
    assert set(found.values()) <= {"Q2_K", "Q4_0", "Q8_0", "F32"}
    assert any(named.allocation.kld < mix.allocation.kld for named in mix.named)


def test_a_mix_that_is_fast_enough_fits() -> None:
    free = fitted("600kB").allocation
    assert free.seconds is not None
    mix = fitted("600kB", min_toks=1.2 / free.seconds)
    assert mix.allocation.seconds is not None
    assert mix.allocation.seconds <= free.seconds / 1.2
    assert mix.left_over >= 0


def test_the_policy_is_plain() -> None:
    """Its head says where it comes from, each rule what it costs; norms become what plain conversions make of them."""
    mix = fitted("500kB")
    head = mix.policy.text.splitlines()
    assert head[0] == "# A mix for model 000000000000, by costs on 2000 tokens of text cccccccccccc, no calibration."
    assert head[1] == f"# Budget 500kB. Predicted KL divergence: {mix.allocation.kld:.4g} nats a token."
    assert head[2:6] == ["version = 1", "", "[expect]", 'bytes = "<= 500000"']
    notes = re.findall(r"^# (\d+) tensors?, (\d+) bytes, KLD (\S+)\n\[\[rule]]", mix.policy.text, re.MULTILINE)
    assert sum(int(count) for count, *_ in notes) == len(COSTS.units)
    assert sum(int(nbytes) for _, nbytes, _ in notes) == mix.allocation.nbytes
    assert sum(float(kld) for *_, kld in notes) == pytest.approx(mix.allocation.kld, rel=0.01)
    assert {str(step.decision.tag) for step in mix.plan.steps if len(step.source.shape) < 2} == {"F32"}
    assert len(mix.policy.text) < 2500


def test_the_policy_says_that_no_tokenizer_was_counted() -> None:
    """Where the budget is of the file: a conversion that adds one would break the expectation."""
    bare = attrs.evolve(SMALL, blobs={})
    heads = [fit(bare, COSTS, Budget.of(size)).policy.text.splitlines()[1] for size in ("500kB", "4.2bpw")]
    assert heads[0].startswith("# Budget 500kB, of a file without a tokenizer. ")
    assert heads[1].startswith("# Budget 4.2bpw. ")


@pytest.mark.parametrize(
    ("feedback", "given"),
    [
        (None, "--calibration FILE"),
        ({"method": "gptq", "damping": 0.01, "order": "activity"}, "--calibration FILE --feedback gptq"),
        ({"method": "gptq", "damping": 0.02}, "--calibration FILE --feedback gptq --damping 0.02"),
    ],
)
def test_the_policy_says_what_else_the_conversion_takes(feedback: dict[str, object] | None, given: str) -> None:
    """It names what the costs were measured with, and no more."""
    costs = attrs.evolve(COSTS, calibration="e" * 32, feedback=feedback)
    head = fit(SMALL, costs, Budget.of("500kB")).policy.text.splitlines()
    assert head[1] == f"# To convert as it was measured, give {given}."


def test_units_of_several_tensors() -> None:
    """All tensors of a unit get its option, and count once."""
    first, second, *others = COSTS.units[1:]
    sizes = {option.tag: option.nbytes for option in second.options}
    options = tuple(attrs.evolve(option, nbytes=option.nbytes + sizes[option.tag]) for option in first.options)
    shapes = (*first.shapes, *second.shapes)
    both = Unit("layers.0.qk", (first.name, second.name), ("attention.q", "attention.k"), shapes, (0,), options)
    grouped = attrs.evolve(COSTS, units=(COSTS.units[0], both, *others))
    mix = fitted("500kB", grouped)
    found = {step.source.name: step.decision.tag for step in mix.plan.steps}
    assert found[first.name] == found[second.name] == mix.allocation.chosen[1].tag
    assert mix.plan.nbytes == mix.allocation.nbytes + 4 * 4 * 256


def test_a_matrix_that_no_option_fits_stays() -> None:
    """It is in no unit; the policy keeps it by name."""
    less = attrs.evolve(COSTS, units=COSTS.units[1:])
    policy = mix_policy(SMALL, fitted("1.0MB", less).allocation)
    assert '# no option fits\n[[rule]]\nmatch = ["tok_embeddings"]\nkeep = true\n' in policy.text
    assert str(plan(SMALL, policy).steps[0].decision.tag) == "F32"


def test_costs_of_a_tensor_that_is_not_there() -> None:
    odd = attrs.evolve(COSTS, units=(attrs.evolve(COSTS.units[0], tensors=("other",)), *COSTS.units[1:]))
    with pytest.raises(UsageError, match="tensor 'other': the costs are of another model: this one has no such tensor"):
        fitted("500kB", odd)


@pytest.fixture
def tiny(root: Path) -> Iterator[Source]:
    """The shipped model, whose rows of 176 fit no block of 32."""
    with open_source(root / "fourcc" / "example" / "tiny.bin") as source:
        yield source


def test_options_by_shape(tiny: Source) -> None:
    """Where a format fits some units only it is no uniform mix, and a recipe's fallbacks are options like others."""
    mix = fitted("250kB", made_up(tiny, ("Q4_0", "Q8_0", "Q4_A", "Q8_A", "F16")), tiny)
    assert {named.name for named in mix.named if named.kind == "uniform"} == {"Q4_A", "Q8_A", "F16"}
    fallbacks = next(named for named in mix.named if named.name == "Q4_0")
    assert {str(option.tag) for option in fallbacks.allocation.chosen} == {"Q4_0", "Q8_0", "F16"}
