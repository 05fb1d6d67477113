"""The policy of a copy: a model.bin whose tensors are only copied keeps the policy that it was made with."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from fourcc.policy import Decision, Policy
from fourcc.sources.source import Source, SourceTensor


def policy_before(source: Source, policy: Policy, tensors: Iterable[SourceTensor]) -> bytes | None:
    """The policy that a model.bin was made with, where the new one only copies its tensors; None elsewhere."""
    if source.policy is None or policy.text != Policy.keep().text:
        return None
    numbered = all(tensor.record is not None and tensor.record.rule is not None for tensor in tensors)
    return source.policy if numbered else None


def as_before(tensor: SourceTensor, decision: Decision) -> Decision:
    """The decision with the number of the rule that chose the tensor's format when the model.bin was made."""
    rule = None if tensor.record is None else tensor.record.rule
    return decision if rule is None else attrs.evolve(decision, rule=rule)
