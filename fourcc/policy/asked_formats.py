"""Looks up the formats that a rule asks for in the registry, and completes and checks their settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from fourcc.errors import MissingFormatError, PluginError
from fourcc.policy.asked_words import tag_hint
from fourcc.policy.places import NEAR_TAGS, Path, Problems
from fourcc.policy.rule import FormatChoice, Rule, TensorInfo
from fourcc.settings import Params, Setting, complete
from fourcc.tags import FourCC

if TYPE_CHECKING:
    from fourcc.format import Format
    from fourcc.plugins.registry import Registry


@attrs.frozen
class TargetFormat:
    """A choice whose format is installed and whose settings are complete.

    Attributes:
        format: the format.
        params: the layout's parameters.
        options: the encoder's options.
    """

    format: Format
    params: Params
    options: Params

    def holds(self, tensor: TensorInfo) -> bool:
        """Whether the tensor is already stored in this format with these parameters."""
        return tensor.tag == self.format.tag and {**complete(self.format.params, {}), **tensor.params} == self.params


def rule_targets(index: int, rule: Rule, registry: Registry, problems: Problems) -> tuple[TargetFormat, ...] | None:
    """The formats of a rule in the order they are tried.

    Args:
        index: the rule's index, for the problems.
        rule: the rule.
        registry: the formats.
        problems: takes every problem.

    Returns:
        The formats; none where the rule keeps its tensors; None where there was a problem.
    """
    targets: list[TargetFormat] = []
    before = len(problems.listed)
    for number, choice in enumerate(rule.choices):
        path: Path = ("rule", index, "fallback", number - 1) if number else ("rule", index)
        fmt = find_format(choice.tag, path if number else (*path, "tag"), registry, problems)
        target = None if fmt is None else _target(choice, fmt, path, problems)
        if target is None:
            continue
        if rule.nonfinite and not target.format.nonfinite:
            problems.add(("rule", index, "nonfinite"), f"{choice.tag} cannot hold NaN or infinity", 'leave out "keep"')
        if any((target.format.tag, target.params) == (other.format.tag, other.params) for other in targets):
            problems.add(path, f"does nothing: {choice.tag} was already tried")
        targets.append(target)
    return tuple(targets) if len(problems.listed) == before else None


def find_format(tag: FourCC, path: Path, registry: Registry, problems: Problems) -> Format | None:
    """The format of a tag; reports a missing or broken one and returns None."""
    try:
        return registry[tag]
    except MissingFormatError as error:
        hint = tag_hint(str(tag), registry) or problems.nearest(str(tag), registry, NEAR_TAGS) or error.hint
        problems.add(path, error.what, hint)
    except PluginError as error:
        problems.add(path, error.what, error.hint)
    return None


def _target(choice: FormatChoice, fmt: Format, path: Path, problems: Problems) -> TargetFormat | None:
    params = _complete(fmt.params, choice.params, choice.tag, (*path, "params"), problems)
    options = _complete(fmt.options, choice.options, choice.tag, (*path, "encoder"), problems)
    if params is None or options is None:
        return None
    return TargetFormat(fmt, params, options)


def _complete(
    settings: tuple[Setting, ...], given: Mapping[str, Any], tag: FourCC, path: Path, problems: Problems
) -> Params | None:
    """The value of every setting; reports each problem at its own key, and then returns None."""
    known = {setting.name: setting for setting in settings}
    before = len(problems.listed)
    for name, value in given.items():
        if name not in known:
            hint = problems.nearest(name, known) or f"there are: {', '.join(known) or 'none'}"
            problems.add((*path, name), f"{tag} has no such setting", hint)
            continue
        try:
            known[name].check(value)
        except ValueError as error:
            problems.add((*path, name), str(error), known[name].summary)
    return complete(settings, given) if len(problems.listed) == before else None
