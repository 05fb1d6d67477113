"""From costs to a policy whose file fits a budget, to the byte.

The file has more than the units' parts: padding, checksums, an index, and the policy itself, whose text depends on the
mix. So a mix is allocated, its policy written and its file's length computed; what is left or lacking changes the
bytes for the units, until no larger number of bytes is known to fit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import attrs

from fourcc.calibration.allocation import Allocation, allocate
from fourcc.calibration.budget import Budget
from fourcc.calibration.costs import Costs, Option, option_fields
from fourcc.calibration.frontier import FrontierPoint, frontier
from fourcc.calibration.mix_policy import mix_policy, origin
from fourcc.calibration.named_mixes import NamedMix, named_mixes
from fourcc.calibration.pins import Pin, WantedOption, choosable
from fourcc.calibration.stand_ins import aids_of, feedback_of
from fourcc.conversion.plan import Plan, plan
from fourcc.errors import UsageError
from fourcc.records import Records
from fourcc.sources.tokenizer import BLOBS

if TYPE_CHECKING:
    from fourcc.policy import Policy
    from fourcc.sources.source import Source

ROUNDS = 16  # plans that are made, at most; five are usual
ENOUGH = 64  # bytes: the range in which no better mix is looked for


@attrs.frozen(eq=False)
class Rival:
    """A named mix that fits the budget, too.

    Attributes:
        mix: the mix.
        plan: the conversion that it means.
    """

    mix: NamedMix
    plan: Plan


@attrs.frozen(eq=False)
class FittedMix(Records):
    """A mix that fits a budget.

    Attributes:
        budget: the budget.
        limit: the bytes that it allows (see `Budget.limit`).
        allocation: the option of each unit.
        plan: the conversion that it means, with the policy.
        uniform: the best mix of one format that fits the budget; None where none does.
        recipe: the best recipe that fits the budget; None where none does.
        named: all uniform mixes and recipes of the costs.
        points: the frontier, by bytes of all tensors.
    """

    budget: Budget
    limit: int
    allocation: Allocation
    plan: Plan
    uniform: Rival | None
    recipe: Rival | None
    named: tuple[NamedMix, ...]
    points: tuple[FrontierPoint, ...]

    def __repr__(self) -> str:
        bits, kld = 8 * self.plan.nbytes / max(1, self.plan.weights), self.allocation.kld
        return f"<FittedMix within {self.budget.text}: {bits:.4g} bits per weight, KL divergence {kld:.4g} predicted>"

    def records(self) -> list[dict[str, Any]]:
        """The option of each unit.

        Returns:
            For each unit: ``unit``, ``tensors``, ``roles``, ``weights``, ``tag``, ``settings`` (as text),
            ``bits_per_weight``, ``bytes``, ``output_error``, ``kld`` (nats a token, of this unit alone), ``seconds``.
        """
        pairs = zip(self.allocation.units, self.allocation.chosen, strict=True)
        return [option_fields(unit, option) for unit, option in pairs]

    def _repr_html_(self) -> str:
        """HTML for notebooks: the frontier with the mix, and the option of each unit."""
        from fourcc.drawing import notebook

        columns = ("unit", "tag", "settings", "bits_per_weight", "bytes", "kld")
        return notebook.output(notebook.heading(self), self.drawn(), notebook.short_table(self.records(), columns))

    def drawn(self) -> str:
        """The frontier as SVG, with the mix, uniform mixes and recipes; empty where no option loses anything."""
        from fourcc.drawing.frontier import Mark, frontier

        points = [(point.nbytes, point.kld) for point in self.points]
        named = [Mark(each.name, each.allocation.nbytes + self.other_bytes, each.allocation.kld) for each in self.named]
        here = Mark(self.budget.text, self.plan.nbytes, self.allocation.kld, "file")
        title = "The least KL divergence for every size, this mix, single formats and recipes"
        return frontier(points, [here, *named], weights=self.plan.weights, title=title)

    @property
    def policy(self) -> Policy:
        """The policy."""
        return self.plan.policy

    @property
    def left_over(self) -> int:
        """Bytes of the budget that nothing fits into."""
        return self.limit - self.budget.spent(self.plan)

    @property
    def other_bytes(self) -> int:
        """Bytes of the tensors that are in no unit, as the conversion stores them."""
        return self.plan.nbytes - self.allocation.nbytes


def fit(
    source: Source,
    costs: Costs,
    budget: Budget,
    pins: Sequence[Pin] = (),
    options: Sequence[WantedOption] | None = None,
    min_toks: float | None = None,
) -> FittedMix:
    """The mix of least predicted KL divergence whose conversion fits a budget.

    Args:
        source: the model.
        costs: of the model; that they are is not checked here.
        budget: what the conversion may come to.
        pins: as `allocate` takes them.
        options: likewise.
        min_toks: likewise.

    Raises:
        UsageError: the budget is below the smallest mix or above the largest; as `allocate` does.
    """
    search = _Search(source, costs, budget, pins, options, min_toks)
    search.refuse_out_of_range()
    allocation = search.best()
    named = named_mixes(source, costs)
    rivals = {kind: search.best_of([mix for mix in named if mix.kind == kind]) for kind in ("uniform", "recipe")}
    for rival in filter(None, rivals.values()):
        if rival.mix.allocation.kld < allocation.kld and search.allowed(rival.mix.allocation):
            allocation = rival.mix.allocation
    planned = search.plan(allocation)
    return FittedMix(
        budget=budget,
        limit=search.limit,
        allocation=allocation,
        plan=planned,
        uniform=rivals["uniform"],
        recipe=rivals["recipe"],
        named=tuple(named),
        points=tuple(frontier(costs, pins, options, other_bytes=planned.nbytes - allocation.nbytes)),
    )


def refuse_out_of_range(source: Source, costs: Costs, budget: Budget, pins: Sequence[Pin] = ()) -> None:
    """Raises UsageError where the budget is below the smallest mix or above the largest. Arguments as of `fit`."""
    _Search(source, costs, budget, pins, None, None).refuse_out_of_range()


class _Search:
    """Looks for the largest number of bytes for units with which the conversion fits."""

    def __init__(
        self,
        source: Source,
        costs: Costs,
        budget: Budget,
        pins: Sequence[Pin],
        options: Sequence[WantedOption] | None,
        min_toks: float | None,
    ) -> None:
        self.limit = budget.limit(source)
        self._source, self._costs, self._budget = source, costs, budget
        self._pins, self._options, self._min_toks = pins, options, min_toks
        self._choices = choosable(costs, pins, options)
        self._aids, self._feedback = aids_of(source, costs), feedback_of(costs)

    def plan(self, allocation: Allocation) -> Plan:
        """The conversion that an allocation means."""
        bare = self._budget.unit != "bpw" and not BLOBS & self._source.blobs.keys()
        size = f"Budget {self._budget.text}{', of a file without a tokenizer' if bare else ''}."
        words = f"{size} Predicted KL divergence: {allocation.kld:.4g} nats a token."
        expect = self._budget.expectation(self.limit)
        policy = mix_policy(self._source, allocation, [*origin(self._costs), words], expect or None)
        return plan(self._source, policy, aids=self._aids, feedback=self._feedback)

    def refuse_out_of_range(self) -> None:
        """Raises UsageError for a budget below the smallest mix or above the largest."""
        smallest, largest = (self._spent(self._extreme(pick)) for pick in (min, max))
        weights = sum(prod(tensor.shape) for tensor in self._source.tensors)
        if self.limit < smallest:
            found = f"{self._budget.in_words(smallest, weights)} for the smallest"
            hint = self._budget.too_small
            raise UsageError("no mix is within the budget", found=found, expected=self._budget.text, hint=hint)
        if self.limit > largest:
            found = f"{self._budget.in_words(largest, weights)} for the largest"
            hint = "Take more options, or a smaller budget."
            raise UsageError("the budget is above every mix", found=found, expected=self._budget.text, hint=hint)

    def _extreme(self, pick: Callable[..., Option]) -> Allocation:
        """The allocation of fewest or of most bytes."""
        chosen = tuple(pick(some, key=lambda option: option.nbytes) for some in self._choices)
        return Allocation(self._costs.units, chosen)

    def _spent(self, allocation: Allocation) -> int:
        return self._budget.spent(self.plan(allocation))

    def best(self) -> Allocation:
        """The best allocation that is found to fit.

        An allocation that does not fit is the best one from its own bytes on, so fewer must be allowed.
        """
        low = self._extreme(min).nbytes
        high = room = self.limit
        found: Allocation | None = None
        for _ in range(ROUNDS):
            allocation = self._allocate(room)
            left = self.limit - self._spent(allocation)
            if left >= 0:
                found = allocation if found is None or allocation.kld < found.kld else found
                low, wanted = max(low, room), allocation.nbytes + left
            else:
                high = min(high, allocation.nbytes)
                wanted = min(room + left, high - 1)
            if wanted == room or high - low <= ENOUGH:
                break
            room = wanted if low < wanted < high else (low + high) // 2
        return self._allocate(self._extreme(min).nbytes) if found is None else found

    def _allocate(self, nbytes: int) -> Allocation:
        return allocate(self._costs, nbytes, self._pins, self._options, min_toks=self._min_toks)

    def best_of(self, mixes: Sequence[NamedMix]) -> Rival | None:
        """The mix of least predicted KL divergence that fits; None where none does."""
        near = [mix for mix in mixes if mix.allocation.nbytes <= self.limit]
        ordered = sorted(near, key=lambda mix: (mix.allocation.kld, mix.allocation.nbytes))
        plans = ((mix, self.plan(mix.allocation)) for mix in ordered)
        return next((Rival(mix, planned) for mix, planned in plans if self._budget.spent(planned) <= self.limit), None)

    def allowed(self, allocation: Allocation) -> bool:
        """Whether pins, options and the least speed allow an allocation."""
        allowed = all(option in some for option, some in zip(allocation.chosen, self._choices, strict=True))
        slow = self._min_toks is not None and (allocation.seconds or 0.0) > 1 / self._min_toks
        return allowed and not slow
