"""The policy of a copy: a model.bin whose tensors are only copied keeps the policy that it was made with."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from fourcc.conversion.pipeline import Step
from fourcc.policy import Decision, Policy
from fourcc.sources.source import Source, SourceTensor


def policy_before(source: Source, policy: Policy, tensors: Iterable[SourceTensor]) -> bytes | None:
    """The policy that a model.bin was made with, where the new one only copies its tensors; None elsewhere."""
    if source.policy is None or policy.text != Policy.keep().text:
        return None
    numbered = all(tensor.record is not None and tensor.record.rule is not None for tensor in tensors)
    return source.policy if numbered else None


def numbered_as_before(source: Source, policy: Policy, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps with the numbers of the rules of the policy that is stored: in a copy those that the source has."""
    if policy_before(source, policy, (step.source for step in steps)) is None:
        return steps
    return tuple(attrs.evolve(step, decision=_as_before(step)) for step in steps)


def _as_before(step: Step) -> Decision:
    rule = None if step.source.record is None else step.source.record.rule
    return step.decision if rule is None else attrs.evolve(step.decision, rule=rule)
