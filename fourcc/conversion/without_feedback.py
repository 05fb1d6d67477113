"""Tensors that are encoded without error feedback though it is asked for, by globs of their roles."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

import attrs

from fourcc.conversion.step import Step
from fourcc.errors import UsageError


def without_feedback(steps: Sequence[Step], globs: Sequence[str]) -> tuple[Step, ...]:
    """The steps, of which those with a matching role have no error feedback.

    Args:
        steps: of a plan.
        globs: of roles, such as ``ffn.*``.

    Raises:
        UsageError: a glob matches no tensor, or none that would have error feedback; or there is none at all.
    """
    if globs and all(step.feedback is None for step in steps):
        hint = "--no-feedback-for goes with --feedback gptq, and Hessians."
        raise UsageError("there is no error feedback to leave out", found=", ".join(globs), hint=hint)
    fed = [role for step in steps if step.feedback is not None for role in step.decision.tensor.roles]
    for glob in globs:
        _refuse_idle(glob, fed, [role for step in steps for role in step.decision.tensor.roles])
    return tuple(
        attrs.evolve(step, feedback=None)
        if any(fnmatchcase(role, glob) for glob in globs for role in step.decision.tensor.roles)
        else step
        for step in steps
    )


def refuse_unknown_roles(steps: Sequence[Step], globs: Sequence[str]) -> None:
    """Raises UsageError where a glob matches no tensor's role: before Hessians are there to ask for."""
    every = [role for step in steps if not step.decision.keep for role in step.decision.tensor.roles]
    for glob in globs:
        _refuse_idle(glob, every, every)


def _refuse_idle(glob: str, fed: Sequence[str], every: Sequence[str]) -> None:
    """Raises UsageError where a glob takes feedback from no tensor; `fed`: roles with feedback; `every`: all roles."""
    if any(fnmatchcase(role, glob) for role in fed):
        return
    lacks = "has no tensor with error feedback" if any(fnmatchcase(role, glob) for role in every) else "has no tensor"
    expected = ", ".join(sorted(set(fed))) or "a role with feedback; there is none"
    raise UsageError(f"--no-feedback-for {glob!r} {lacks}", expected=expected)
