"""Another format for every tensor that a file cannot hold as a policy decided it: `--as`, or the kind's own choice."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from fourcc.conversion.pipeline import Step
from fourcc.conversion.plan import describe
from fourcc.errors import PluginError, UsageError, listed
from fourcc.exporters.layout import ExportKind
from fourcc.format import Aids
from fourcc.plugins.registry import registry
from fourcc.policy import Decision, Policy
from fourcc.sources.extent import single_part_spec
from fourcc.sources.source import Source

_SHOWN = 6  # names in a message


def fitted_steps(
    source: Source, kind: ExportKind, steps: tuple[Step, ...], instead: str, group: int | None
) -> list[Step]:
    """The steps, with another format for every tensor that the file cannot hold as it was decided."""
    unfit = [step for step in steps if not _held(source, kind, step.decision, group)]
    if not unfit:
        return list(steps)
    if kind.replacement is not None and not instead:
        policy = kind.replacement(source, steps, group)
    else:
        _refuse_matrices(source, kind, unfit, instead)
        policy = replacement(instead)
    replaced = {step.source.name: step for step in _replaced(source, unfit, policy)}
    still_unfit = [step for step in replaced.values() if not _held(source, kind, step.decision, group)]
    if still_unfit:
        raise _refusal(source, kind, still_unfit, "Give --as other formats, or leave them out with --exclude.")
    return [replaced.get(step.source.name, step) for step in steps]


def _refuse_matrices(source: Source, kind: ExportKind, unfit: list[Step], instead: str) -> None:
    """Refuses matrices that the file cannot hold, where neither `--as` nor the kind says what they become."""
    matrices = [step for step in unfit if len(step.source.shape) > 1]
    if matrices and not instead and not kind.decodes:
        hint = "--as TAG says what they become; --as TAG,TAG names another for rows that do not fit."
        raise _refusal(source, kind, matrices, hint)


def _replaced(source: Source, unfit: list[Step], policy: Policy) -> Iterator[Step]:
    """The steps as a policy for their tensors decides them, without the calibration data of the first decision."""
    tied = bool(source.hyper.get("tied_embeddings", False))
    decisions = policy.resolve([describe(step.source, tied=tied) for step in unfit])
    for step, decision in zip(unfit, decisions, strict=True):
        instead_of = None if decision.tag == step.decision.tag else step.decision.tag
        replaced = attrs.evolve(decision, rule=step.decision.rule, fallback_from=instead_of)
        yield attrs.evolve(step, decision=replaced, aids=Aids(), feedback=None)


def replacement(instead: str) -> Policy:
    """The policy of `--as` for tensors that the file cannot hold; without it vectors become 32-bit floats."""
    narrow = registry.foreign("numpy", "<f4")
    assert narrow is not None  # among the formats of this package
    policy = Policy.shorthand(instead or str(narrow.tag), option="--as")
    return attrs.evolve(policy, rules=tuple(attrs.evolve(rule, optional=True) for rule in policy.rules))


def _held(source: Source, kind: ExportKind, decision: Decision, group: int | None) -> bool:
    """Whether the file can hold the tensor as it was decided; False for groups of another size than the wanted one."""
    if group is not None and decision.params.get("group", group) != group:
        return False
    try:
        spec = registry[decision.tag]
    except PluginError:  # the format is missing or broken, so its layout is not known
        return False
    plain = single_part_spec(spec) and spec.block == (1, 1)
    return (plain or kind.blocks(source, decision.tensor)) and kind.holds(spec, decision.params, decision.tensor.shape)


def _refusal(source: Source, kind: ExportKind, steps: list[Step], hint: str) -> UsageError:
    tags = ", ".join(sorted({str(step.decision.tag) for step in steps}))
    names = listed((step.source.name for step in steps), _SHOWN)
    what = f"{kind.name} has no place for {len(steps)} tensor{'s' * (len(steps) != 1)} in {tags}: {names}"
    return UsageError(what, file=source.path, hint=hint)
