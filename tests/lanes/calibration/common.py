"""Rows that every model has: importance, feedback, allocation, prediction, and mixes that an allocation must beat."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

import attrs

import fourcc
from fourcc.calibration.costs import Costs
from tests.lanes.calibration.mixes import policy_of, random_mix
from tests.lanes.calibration.rows import Finding, Row
from tests.lanes.calibration.subject import Subject, uniform

SEEDS = range(5)


def compared(subject: Subject, files: Mapping[str, Path], *, by: str) -> Finding:
    """The KL divergence of the first file divided by that of the file `by`."""
    klds = {name: subject.divergence(path) for name, path in files.items()}
    sizes = {f"{name} bytes": path.stat().st_size for name, path in files.items()}
    return Finding(next(iter(klds.values())) / klds[by], {**klds, **sizes})


def plainly(subject: Subject, option: str) -> Path:
    """A uniform file without calibration."""
    return subject.converted(f"plain-{named(option)}", policy=uniform(option), importance=False)


def with_importance(subject: Subject, option: str) -> Path:
    """A uniform file with importance."""
    return subject.converted(f"importance-{named(option)}", policy=uniform(option))


def with_feedback(subject: Subject, option: str) -> Path:
    """A uniform file with importance and error feedback."""
    return subject.converted(f"feedback-{named(option)}", policy=uniform(option), feedback="gptq")


def named(option: str) -> str:
    """An option as a part of names."""
    return option.replace(":", "-").replace("=", "-").replace(" ", "")


def importance_rows(subject: Subject, goals: Mapping[str, float | None]) -> Iterator[Row]:
    """KL divergence with importance, by that without, for each format."""

    def find(option: str) -> Finding:
        files = {"with": with_importance(subject, option), "without": plainly(subject, option)}
        return compared(subject, files, by="without")

    table = f"{subject.name}: importance, all matrices in the format, embedding Q8_0"
    for option, goal in goals.items():
        what = f"{option}, KLD by the same without importance"
        yield Row(f"{subject.name}-importance-{named(option)}", table, what, goal, partial(find, option))


def feedback_rows(subject: Subject, goals: Mapping[str, float | None], *, by_plain: frozenset[str]) -> Iterator[Row]:
    """KL divergence with feedback, by that with importance alone, or by the plain one, for each format."""

    def find(option: str) -> Finding:
        other = plainly if option in by_plain else with_importance
        files = {"feedback": with_feedback(subject, option), "other": other(subject, option)}
        finding = compared(subject, files, by="other")
        figures = finding.figures
        lengths = abs(figures["feedback bytes"] - figures["other bytes"])
        return attrs.evolve(finding, figures={**figures, "difference of bytes": lengths})

    table = f"{subject.name}: error feedback at the same bytes, embedding Q8_0"
    for option, goal in goals.items():
        what = f"{option}, KLD by {'plain' if option in by_plain else 'importance alone'}"
        yield Row(f"{subject.name}-feedback-{named(option)}", table, what, goal, partial(find, option))


@attrs.frozen
class Allocated:
    """A mix that was allocated, and the file that it became.

    Attributes:
        path: the file.
        predicted: KL divergence that the allocation promises.
        choice: the option of each unit, by its number.
        nbytes: of the units' parts.
        bits: per weight of the whole file's tensors.
    """

    path: Path
    predicted: float
    choice: Mapping[str, int]
    nbytes: int
    bits: float


def allocated(
    subject: Subject, budget: int | str, *, feedback: str | None = None, costs: Path | None = None
) -> Allocated:
    """The best mix of the subject's options in a file of so many bytes, or in a budget such as ``3.0bpw``."""
    file = costs or subject.costs(feedback=feedback)
    name = f"{file.stem}-{budget}"
    mix = fourcc.allocate(subject.original, file, budget=str(budget))
    path = subject.converted(name, policy=mix.policy.text, feedback=feedback)
    with fourcc.open(path) as model:
        assert isinstance(model, fourcc.Model)
        bits = float(model.index.bits_per_weight)
    chosen = mix.allocation
    pairs = zip(chosen.units, chosen.chosen, strict=True)
    choice = {unit.name: unit.options.index(option) for unit, option in pairs}
    return Allocated(path, chosen.kld, choice, chosen.nbytes, bits)


def allocation_row(
    subject: Subject, table: str, name: str, budget: int, goal: float | None, feedback: str | None = None
) -> Row:
    """The KL divergence of an allocated file."""

    def find() -> Finding:
        mix = allocated(subject, budget, feedback=feedback)
        size = mix.path.stat().st_size
        figures = {"bytes": size, "left over": budget - size, "bits": mix.bits, "predicted": mix.predicted}
        return Finding(subject.divergence(mix.path), figures)

    return Row(f"{subject.name}-{name}", table, f"file of {budget:,} bytes, KLD", goal, find)


def prediction_row(
    subject: Subject, budget: int, goal: float = 0.2, feedback: str | None = None, *, own_text: bool = False
) -> Row:
    """How far an allocation's prediction is from what is measured.

    Args:
        subject: the model.
        budget: bytes of the file.
        goal: the distance of their ratio from 1, at most.
        feedback: the method of error feedback.
        own_text: whether the text that costs are measured on decides: that which results are judged by may be easier.
    """
    name = f"prediction{'-feedback' if feedback else ''}-{budget}"

    def find() -> Finding:
        mix = allocated(subject, budget, feedback=feedback)
        found = subject.divergence(mix.path)
        same = subject.divergence(mix.path, measuring=True)
        figures = {"predicted": mix.predicted, "measured": found, "on the measuring text": same, "bits": mix.bits}
        return Finding(abs(mix.predicted / (same if own_text else found) - 1), figures)

    what = f"file of {budget:,} bytes{', feedback' if feedback else ''}: distance of predicted / measured from 1"
    return Row(f"{subject.name}-{name}", f"{subject.name}: prediction", what, goal, find)


def against_uniform(subject: Subject, option: str) -> Row:
    """An allocation at the bytes of a uniform file, by that file, both with importance."""

    def find() -> Finding:
        other = with_importance(subject, option)
        mix = allocated(subject, other.stat().st_size)
        return compared(subject, {"allocated": mix.path, option: other}, by=option)

    return _never_worse(subject, f"uniform-{named(option)}", f"at the bytes of {option}, KLD by uniform {option}", find)


def against_recipe(subject: Subject, recipe: str, goal: float) -> Row:
    """An allocation at the bytes of a recipe's file, by that file, both with importance."""

    def find() -> Finding:
        other = subject.converted(f"recipe-{recipe}", recipe=recipe)
        mix = allocated(subject, other.stat().st_size)
        return compared(subject, {"allocated": mix.path, recipe: other}, by=recipe)

    row = _never_worse(subject, f"recipe-{recipe}", f"at the bytes of recipe {recipe}, KLD by the recipe's", find)
    return attrs.evolve(row, goal=goal)


def against_random(subject: Subject, budget: int, seed: int) -> Row:
    """An allocation, by a random mix of as many bytes that has the allocation's embedding."""

    def find() -> Finding:
        mix, costs = allocated(subject, budget), subject.known_costs()
        protected = {name: mix.choice[name] for name in _embeddings(costs)}
        policy = policy_of(costs, random_mix(costs, mix.nbytes, protected, seed))
        other = subject.converted(f"random-{budget}-{seed}", policy=policy)
        return compared(subject, {"allocated": mix.path, "random": other}, by="random")

    what = f"file of {budget:,} bytes, KLD by random mix {seed}'s of as many bytes"
    return _never_worse(subject, f"random-{budget}-{seed}", what, find)


def _embeddings(costs: Costs) -> list[str]:
    return [unit.name for unit in costs.units if "embedding" in unit.roles]


def _never_worse(subject: Subject, name: str, what: str, find: Callable[[], Finding]) -> Row:
    return Row(f"{subject.name}-{name}", f"{subject.name}: never worse", what, 1.0, find)
