"""Notes on tensors of which a recipe's first format cannot be taken: whoever names a recipe is told what came of it."""

from __future__ import annotations

from collections.abc import Iterable
from math import prod

from fourcc.errors import listed
from fourcc.plugins.registry import registry
from fourcc.policy import Decision, Policy
from fourcc.tags import FourCC

LISTED = 3  # tensors that a note names


def fallback_notes(policy: Policy, decisions: Iterable[Decision]) -> tuple[str, ...]:
    """A note for each pair of formats, the recipe's and the one that took its place.

    A policy of the user's own says itself what its fallbacks are, so nothing is noted there.
    """
    if not policy.is_recipe:
        return ()
    taken: dict[tuple[FourCC, FourCC], list[Decision]] = {}
    for decision in decisions:
        first = decision.fallback_from  # also what an export could not hold: that says its own plan
        if first is not None and registry[first].misfit(decision.tensor.shape) is not None:
            taken.setdefault((first, decision.tag), []).append(decision)
    return tuple(_note(first, tag, those) for (first, tag), those in taken.items())


def _note(first: FourCC, tag: FourCC, those: list[Decision]) -> str:
    names = listed((each.tensor.name for each in those), LISTED)
    why = registry[first].misfit(those[0].tensor.shape)
    weights = sum(prod(each.tensor.shape) for each in those)
    are = "tensors are" if len(those) > 1 else "tensor is"
    return f"{len(those)} {are} stored in {tag} in place of {first} ({weights} weights): {why}: {names}"
