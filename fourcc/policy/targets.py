"""What a rule asks for -> formats of the registry, with settings complete and checked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from fourcc.errors import MissingFormatError, PluginError
from fourcc.policy.places import NEAR_TAGS, Path, Report
from fourcc.policy.rule import Choice, Rule, TensorInfo
from fourcc.spec import FormatSpec, Params, Setting, complete
from fourcc.tags import FourCC

if TYPE_CHECKING:
    from fourcc.format import Format
    from fourcc.registry import Registry


@attrs.frozen
class Target:
    """A choice whose format was found and whose settings are complete.

    Attributes:
        spec: the format's.
        encodes: whether the format has an encoder.
        params: the layout's parameters.
        options: the encoder's options.
    """

    spec: FormatSpec
    encodes: bool
    params: Params
    options: Params

    def holds(self, tensor: TensorInfo) -> bool:
        """Whether the tensor is already stored in just this way."""
        return tensor.tag == self.spec.tag and {**complete(self.spec.params, {}), **tensor.params} == self.params


def rule_targets(index: int, rule: Rule, registry: Registry, report: Report) -> tuple[Target, ...] | None:
    """The formats of a rule in the order they are tried.

    Args:
        index: of the rule, for the report.
        rule: the rule.
        registry: where formats are looked up.
        report: takes every problem.

    Returns:
        None where there was a problem; nothing where the rule keeps its tensors.
    """
    targets: list[Target] = []
    before = len(report.problems)
    for number, choice in enumerate(rule.choices):
        path: Path = ("rule", index, "fallback", number - 1) if number else ("rule", index)
        found = find_format(choice.tag, path if number else (*path, "tag"), registry, report)
        target = None if found is None else _target(choice, found, path, report)
        if target is None:
            continue
        if rule.nonfinite and not target.spec.nonfinite:
            report.add(("rule", index, "nonfinite"), f"{choice.tag} cannot hold NaN or infinity", 'leave out "keep"')
        if any((target.spec.tag, target.params) == (other.spec.tag, other.params) for other in targets):
            report.add(path, f"does nothing: {choice.tag} was already tried")
        targets.append(target)
    return tuple(targets) if len(report.problems) == before else None


def find_format(tag: FourCC, path: Path, registry: Registry, report: Report) -> Format | None:
    """The format of a tag; a missing or broken one is reported."""
    try:
        return registry[tag]
    except MissingFormatError as error:
        report.add(path, error.what, report.nearest(str(tag), registry, NEAR_TAGS) or error.hint)
    except PluginError as error:
        report.add(path, error.what, error.hint)
    return None


def _target(choice: Choice, found: Format, path: Path, report: Report) -> Target | None:
    params = _complete(found.spec.params, choice.params, choice.tag, (*path, "params"), report)
    options = _complete(found.spec.options, choice.options, choice.tag, (*path, "encoder"), report)
    if params is None or options is None:
        return None
    return Target(found.spec, found.encode is not None, params, options)


def _complete(
    settings: tuple[Setting, ...], given: Mapping[str, Any], tag: FourCC, path: Path, report: Report
) -> Params | None:
    """Every setting's value, or None after the problems were reported, each at its own key."""
    known = {setting.name: setting for setting in settings}
    before = len(report.problems)
    for name, value in given.items():
        if name not in known:
            hint = report.nearest(name, known) or f"there are: {', '.join(known) or 'none'}"
            report.add((*path, name), f"{tag} has no such setting", hint)
            continue
        try:
            known[name].check(value)
        except ValueError as error:
            report.add((*path, name), str(error), known[name].summary)
    return complete(settings, given) if len(report.problems) == before else None
