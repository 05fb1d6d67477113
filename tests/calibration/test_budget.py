"""Budgets: how they are spelled, and what they allow."""

from fractions import Fraction
from pathlib import Path

import attrs
import pytest

from fourcc.calibration.budget import Budget
from fourcc.conversion.plan import plan
from fourcc.errors import UsageError
from fourcc.policy import Policy
from tests.calibration.made_up_costs import small_model


@pytest.mark.parametrize(
    ("text", "unit", "number"),
    [
        ("2.4MB", "bytes", 2_400_000),
        ("2400 kB", "bytes", 2_400_000),
        ("2419000", "bytes", 2_419_000),
        ("1.5 MiB", "bytes", 3 << 19),
        (" 4.0bpw", "bpw", 4),
        ("3.25 BPW", "bpw", Fraction(13, 4)),
        ("90%", "%", 90),
        ("12.5 %", "%", Fraction(25, 2)),
    ],
)
def test_spellings(text: str, unit: str, number: Fraction) -> None:
    assert attrs.astuple(Budget.parse(text))[:3] == (text.strip(), number, unit)


@pytest.mark.parametrize("text", ["", "MB", "bpw", "-1MB", "4.0 bits", "4.0bpw%", "1e6", "2.4Mb/s", "nan"])
def test_no_budget(text: str) -> None:
    with pytest.raises(UsageError, match=r"no budget is spelled so: found '.*', expected bytes such as 2\.4MB"):
        Budget.parse(text)


def test_limits(tmp_path: Path) -> None:
    """They are of the file's bytes, of the source's length, of the tensors' bits; rounded down."""
    file = tmp_path / "weights"
    file.write_bytes(bytes(1001))
    source = attrs.evolve(small_model(), files=(file,))
    planned = plan(source, Policy.shorthand("Q8_0"))
    weights = planned.weights
    for text, limit, spent in (
        ("1.0009kB", 1000, planned.file_bytes),
        ("50%", 500, planned.file_bytes),
        ("4.1bpw", weights * 41 // 80, planned.nbytes),
    ):
        budget = Budget.of(text)
        assert (budget.limit(source), budget.spent(planned)) == (limit, spent)
    assert Budget.of(Budget.of("50%")) == Budget.of("50%")


def test_expectations_say_the_same() -> None:
    """A policy's limit in the budget's own unit, exactly."""
    assert Budget.of("2.4MB").expectation(2_400_000) == {"bytes": "<= 2400000"}
    assert Budget.of("30%").expectation(12345) == {"bytes": "<= 12345"}
    assert [Budget.of(f"{bits}bpw").expectation(1) for bits in ("4.0", "3.0625", "10")] == [
        {"bits": f"<= {bits}"} for bits in ("4", "3.0625", "10")
    ]
