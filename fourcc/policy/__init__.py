"""The policy: which format each tensor gets. Its text is described in `specs/policy.md`."""

from fourcc.policy.policy import Policy, explicit
from fourcc.policy.rule import Decision, Rule, TensorInfo
from fourcc.policy.writing import Row

__all__ = ["Decision", "Policy", "Row", "Rule", "TensorInfo", "explicit"]
