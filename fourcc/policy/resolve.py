"""Applies a policy's rules to a model's tensors: gives a decision for each tensor, or every problem."""

from __future__ import annotations

from collections.abc import Container, Sequence
from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING

import attrs

from fourcc.errors import listed
from fourcc.policy.asked_formats import TargetFormat, rule_targets
from fourcc.policy.globs import Globs, spelled
from fourcc.policy.places import NEAR_TAGS, Path, Problems
from fourcc.policy.rule import Decision, Rule, TensorInfo

if TYPE_CHECKING:
    from fourcc.plugins.registry import Registry

LISTED = 10  # names that a message lists; it counts the others


class Resolver:
    """Carries out one resolution.

    Args:
        rules: the policy's.
        tensors: all tensors of the model.
        registry: the formats.
        problems: takes every problem.
        wanted: names of the tensors to decide; None: all.
    """

    def __init__(
        self,
        rules: Sequence[Rule],
        tensors: Sequence[TensorInfo],
        registry: Registry,
        problems: Problems,
        wanted: Container[str] | None = None,
    ) -> None:
        self._rules = rules
        self._tensors = tensors
        self._names = [tensor.name for tensor in tensors]
        self._roles = sorted({role for tensor in tensors for role in tensor.roles})
        self._wanted = {tensor.name for tensor in tensors} if wanted is None else wanted
        self._registry = registry
        self._problems = problems
        self._refusals: dict[tuple[int, str, str | None], list[str]] = {}  # (rule, message, hint) -> tensors refused

    def decisions(self) -> list[Decision]:
        """A decision for each wanted tensor, in order; tensors with a problem have none."""
        self._check_stored_tags()
        targets = [rule_targets(i, rule, self._registry, self._problems) for i, rule in enumerate(self._rules)]
        decided = [
            self._decide(tensor, index, chain)
            for tensor, index in zip(self._tensors, self._deciding_rules(), strict=True)
            if tensor.name in self._wanted and index is not None and (chain := targets[index]) is not None
        ]
        for (index, message, hint), names in self._refusals.items():
            self._problems.add(("rule", index), f"{listed(map(repr, names), LISTED)}: {message}", hint)
        return [decision for decision in decided if decision is not None]

    def _check_stored_tags(self) -> None:
        """Reports tags that no tensor has and no package provides: such a selector can only be a slip."""
        known = {*self._registry, *(tensor.tag for tensor in self._tensors)}
        for index, rule in enumerate(self._rules):
            for tag in sorted((rule.stored or frozenset()) - known):
                hint = self._problems.nearest(str(tag), sorted(known), NEAR_TAGS)
                self._problems.add(("rule", index, "stored"), f"no installed package provides the format {tag}", hint)

    def _deciding_rules(self) -> list[int | None]:
        """Index of the rule that decides each tensor; reports rules that decide none, and tensors without a rule."""
        layers = [tensor.layer for tensor in self._tensors if tensor.layer is not None]
        layer_count = 1 + max(layers, default=-1)
        deciding: dict[str, int] = {}  # tensor -> rule
        for index, rule in enumerate(self._rules):
            selected = [tensor.name for tensor in self._tensors if rule.selects(tensor, layer_count)]
            undecided = [name for name in selected if name not in deciding]
            if not undecided and not rule.optional:
                self._report_idle(index, rule, sorted({deciding[name] for name in selected}))
            deciding |= dict.fromkeys(undecided, index)
        self._report_undecided([name for name in self._names if name not in deciding and name in self._wanted])
        return [deciding.get(name) for name in self._names]

    def _report_undecided(self, names: list[str]) -> None:
        if names:
            message = f"no rule matches {listed(map(repr, names), LISTED)}"
            self._problems.add((), message, 'add a last rule with match = "*"')

    def _report_idle(self, index: int, rule: Rule, earlier: list[int]) -> None:
        """Reports a rule that decides no tensor; `earlier` are the rules that decide the tensors it selects."""
        path: Path = ("rule", index)
        if earlier:
            takers = ", ".join(f"rule[{taker}]" for taker in earlier)
            self._problems.add(path, f"every tensor that it matches is taken by {takers}", "move it up, or remove it")
            return
        unmet = [(globs, known) for globs, known in ((rule.match, self._names), (rule.role, self._roles)) if globs]
        hints = [_name_hint(globs, known, self._problems) for globs, known in unmet if not globs.match_any(known)]
        self._problems.add(path, "matches no tensor", next(filter(None, hints), self._problems.idle_hint))

    def _decide(self, tensor: TensorInfo, rule: int, chain: tuple[TargetFormat, ...]) -> Decision | None:
        """The decision for a tensor; None where its rule's formats cannot take it."""
        if not chain:
            return self._decision(tensor, rule)
        try:
            target = _chosen(tensor, chain)
        except _RefusedError as error:
            self._refusals.setdefault((rule, error.message, error.hint), []).append(tensor.name)
            return None
        first = chain[0].format.tag
        decision = self._decision(tensor, rule, None if target.holds(tensor) else target)
        return decision if decision.tag == first else attrs.evolve(decision, fallback_from=first)

    def _decision(self, tensor: TensorInfo, rule: int, target: TargetFormat | None = None) -> Decision:
        """The decision to encode a tensor as the target says, or to keep it where there is no target."""
        nbytes = self._kept_bytes(tensor) if target is None else target.format.stored_bytes(tensor.shape, target.params)
        return Decision(
            tensor=tensor,
            rule=rule,
            tag=tensor.tag if target is None else target.format.tag,
            params=tensor.params if target is None else target.params,
            options={} if target is None else target.options,
            keep=target is None,
            nonfinite=self._rules[rule].nonfinite,
            fallback_from=None,
            bits_per_weight=Fraction(8 * nbytes, max(1, prod(tensor.shape))),
            nbytes=nbytes,
        )

    def _kept_bytes(self, tensor: TensorInfo) -> int:
        if tensor.nbytes is not None:
            return tensor.nbytes
        return self._registry[tensor.tag].stored_bytes(tensor.shape, tensor.params)


class _RefusedError(Exception):
    """A rule's formats cannot take a tensor; the resolver catches it."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


def _chosen(tensor: TensorInfo, chain: Sequence[TargetFormat]) -> TargetFormat:
    """The first of a rule's formats that fits the tensor. Raises _RefusedError where none can store it."""
    target = next((each for each in chain if each.format.misfit(tensor.shape, each.params) is None), None)
    if target is not None and target.holds(tensor):
        return target
    if not tensor.real:
        hint = 'a rule before it with values = "integer" and keep = true carries them'
        raise _RefusedError(f"{tensor.tag} holds no real numbers, so it cannot become {chain[0].format.tag}", hint)
    if target is None:
        reasons = "; ".join(f"{each.format.tag}: {each.format.misfit(tensor.shape, each.params)}" for each in chain)
        raise _RefusedError(f"no format fits the shape {tensor.shape}: {reasons}", "add a fallback")
    if target.format.encode is None:
        raise _RefusedError(f"{target.format.tag} has no encoder, and the tensor is stored as {tensor.tag}")
    return target


def _name_hint(globs: Globs, known: Sequence[str], problems: Problems) -> str | None:
    """A hint at the name that was meant by patterns that match none of the known names."""
    literal = next((pattern for pattern in globs.patterns if pattern in known), None)
    if literal is not None:
        return f"brackets enclose a set of characters; that name is written {spelled(literal)!r}"
    return problems.nearest(globs.patterns[0], known)
