"""The mixes that people would use without an allocation: one format for all, and the recipes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal

import attrs

from fourcc.calibration.allocation import Allocation
from fourcc.calibration.costs import Costs, Option, Unit
from fourcc.calibration.pins import spelled
from fourcc.conversion.plan import describe
from fourcc.errors import PluginError, PolicyError
from fourcc.policy import Decision, Policy
from fourcc.policy.recipes import recipes

if TYPE_CHECKING:
    from fourcc.sources.source import Source

Kind = Literal["uniform", "recipe"]


@attrs.frozen
class NamedMix:
    """A mix with a name.

    Attributes:
        name: the option's, or the recipe's.
        kind: ``uniform``, one option for all units, or ``recipe``.
        allocation: the option of each unit.
    """

    name: str
    kind: Kind
    allocation: Allocation


def named_mixes(source: Source, costs: Costs) -> list[NamedMix]:
    """Every uniform mix and every recipe whose formats are among the options of each unit, by bytes.

    Of several that give each unit the same option one is left: a uniform mix, or the recipe with the fewest fallbacks.
    """
    found: list[NamedMix] = []
    for mix in (*_uniform(costs), *_recipes(source, costs)):
        if all(mix.allocation.chosen != other.allocation.chosen for other in found):
            found.append(mix)
    return sorted(found, key=lambda mix: (mix.allocation.nbytes, mix.name))


def _uniform(costs: Costs) -> Iterator[NamedMix]:
    names = list(dict.fromkeys(spelled(option) for unit in costs.units for option in unit.options))
    tags = [name.partition(":")[0] for name in names]
    for name, tag in zip(names, tags, strict=True):
        chosen = [_named(unit, name) for unit in costs.units]
        mix = _allocation(costs, chosen)
        if mix is not None:
            yield NamedMix(tag if tags.count(tag) == 1 else name, "uniform", mix)


def _named(unit: Unit, name: str) -> Option | None:
    return next((option for option in unit.options if spelled(option) == name), None)


def _recipes(source: Source, costs: Costs) -> list[NamedMix]:
    """The recipes, those with the fewest fallbacks first."""
    found: list[tuple[int, NamedMix]] = []
    tied = bool(source.hyper.get("tied_embeddings", False))
    tensors = [describe(tensor, tied=tied) for tensor in source.tensors]
    for recipe in recipes():
        try:
            decisions = Policy.recipe(recipe.name).resolve(tensors)
        except (PolicyError, PluginError):  # it is not for this model
            continue
        decided = {decision.tensor.name: decision for decision in decisions}
        mix = _allocation(costs, [_decided(unit, decided) for unit in costs.units])
        if mix is not None:
            fallbacks = sum(decision.fallback_from is not None for decision in decisions)
            found.append((fallbacks, NamedMix(recipe.name, "recipe", mix)))
    return [mix for _, mix in sorted(found, key=lambda each: each[0])]


def _decided(unit: Unit, decided: dict[str, Decision]) -> Option | None:
    """The option that a policy gives all tensors of a unit; None where it is not among the options."""
    wanted = [decided.get(name) for name in unit.tensors]
    for option in unit.options:
        if all(
            each is not None and not each.keep and (each.tag, each.params, each.options) == _settings(option)
            for each in wanted
        ):
            return option
    return None


def _settings(option: Option) -> tuple[object, object, object]:
    return option.tag, option.params, option.options


def _allocation(costs: Costs, chosen: Sequence[Option | None]) -> Allocation | None:
    """The allocation of these options; None where one is missing, or has no KL divergence."""
    known = tuple(option for option in chosen if option is not None and option.kld is not None)
    return Allocation(costs.units, known) if len(known) == len(costs.units) else None
